//! Events that cannot be applied: kept aside, shown, tried again, dropped.

use reflex_proto::{
    leads::v1::LeadAssigned,
    notifications::v1::ListMessagesRequest,
    platform::v1::{
        DeadLetter, DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest, Reason,
        ReplayDeadLetterRequest,
    },
};
use reflex_rpc::status::reason_of;
use reflex_tenancy::TenantSet;
use reflex_testing::eventually;

use crate::{facts::assignment, scene::tenant, served::Served};

async fn list(served: &Served) -> Vec<DeadLetter> {
    let listed = served
        .dead_letters()
        .list_dead_letters(ListDeadLettersRequest::default())
        .await;
    listed.unwrap().into_inner().dead_letters
}

#[tokio::test]
async fn poison_is_put_aside_and_the_stream_goes_on() {
    let mut served = Served::start().await;
    let nobody = LeadAssigned {
        owner: String::new(),
        ..assignment("poison", "")
    };
    let events = [
        served.facts.assigned("1", "zhang.wei"),
        served.facts.assigned_with(&nobody),
        served.facts.assigned("2", "zhang.wei"),
    ];
    served.tell(&events).await;
    let letter = eventually("the poison is put aside", async || list(&served).await.pop()).await;
    assert_eq!(letter.r#type, "reflex.leads.v1.LeadAssigned");
    assert_eq!(letter.reason, "the event names no member");
    assert!(letter.data.is_empty());
    let name = letter.name;
    let got = served
        .dead_letters()
        .get_dead_letter(GetDeadLetterRequest { name: name.clone() })
        .await
        .unwrap();
    assert_eq!(got.into_inner().dead_letter.unwrap().data, events[1].data);
    eventually("the others are told", async || {
        let messages = served
            .messages()
            .list_messages(ListMessagesRequest::default())
            .await
            .unwrap()
            .into_inner()
            .messages;
        messages.len() == 2
    })
    .await;

    let replay = ReplayDeadLetterRequest {
        name: name.clone(),
        request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
    };
    let refused = served
        .dead_letters()
        .replay_dead_letter(replay.clone())
        .await
        .unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::WrongState), "{refused}");
    assert!(list(&served).await[0].attempts > letter.attempts);

    // Somebody repairs it.
    let repaired = prost::Message::encode_to_vec(&assignment("poison", "zhang.wei"));
    let mut tx = served
        .foundation
        .db
        .begin("test", &TenantSet::one(&tenant()))
        .await
        .unwrap();
    sqlx::query("update dead_letters set data = $1")
        .bind(repaired)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        served.dead_letters().replay_dead_letter(replay.clone()).await.unwrap();
    }
    assert!(list(&served).await.is_empty());
    let messages = served
        .messages()
        .list_messages(ListMessagesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .messages;
    assert_eq!(messages.len(), 3, "applied once");
    served.stop().await;
}

#[tokio::test]
async fn a_dead_letter_is_dropped_once() {
    let mut served = Served::start().await;
    let mut broken = served.facts.assigned("1", "zhang.wei");
    broken.data = vec![0xff];
    served.tell(&[broken]).await;
    let name = eventually("the poison is put aside", async || list(&served).await.pop())
        .await
        .name;
    let request = DropDeadLetterRequest {
        name: name.clone(),
        request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
    };
    for _ in 0..2 {
        served.dead_letters().drop_dead_letter(request.clone()).await.unwrap();
    }
    assert!(list(&served).await.is_empty());
    for name in [name, "deadLetters/x".to_owned()] {
        let again = DropDeadLetterRequest {
            name,
            request_id: String::new(),
        };
        let refused = served.dead_letters().drop_dead_letter(again).await.unwrap_err();
        assert_eq!(reason_of(&refused), Some(Reason::NotFound));
    }
    served.stop().await;
}
