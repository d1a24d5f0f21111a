-- A follow-up recorded while two leads were one may belong to the other one when they are two again.
grant update (lead_id) on follow_ups to reflex_app;
