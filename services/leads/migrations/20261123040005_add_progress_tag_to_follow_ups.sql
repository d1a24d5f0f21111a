-- How far the sale was after it; null where it said nothing about that.
alter table follow_ups add column progress_tag text collate "C";
