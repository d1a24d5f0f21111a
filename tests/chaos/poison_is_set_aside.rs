//! Events that make no sense: the stream goes on, and what could not be applied waits with its reason until somebody
//! replays or drops it.

use prost::Message as _;
use redis::AsyncCommands as _;
use reflex_events::{STREAM_SHARDS, envelope::shard_of};
use reflex_proto::{
    leads::v1::LeadAssigned,
    platform::v1::{DropDeadLetterRequest, GetDeadLetterRequest, ReplayDeadLetterRequest},
};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_testing::eventually;
use tonic::Code;
use uuid::Uuid;

use crate::scene::{Scene, request_id};

const GARBAGE: &[u8] = b"\xff\xff not protobuf";

#[tokio::test]
async fn the_stream_goes_on_and_the_letter_waits() {
    let scene = Scene::start().await;
    let name = scene.capture("before").await;
    scene.announced(&name).await;

    // Into the shard that carries the next facts of this lead.
    let poison = add_event(&scene, &name, GARBAGE).await;
    let key = key_of(&scene, &name);
    let no_event = [("who", "knows"), ("data", "x")];
    let _id: String = scene.redis().await.xadd(&key, "*", &no_event).await.unwrap();
    let fine = LeadAssigned {
        lead: name.clone(),
        owner: "members/bo".into(),
        ..LeadAssigned::default()
    };
    add_event(&scene, &name, &fine.encode_to_vec()).await;
    eventually("what came after the poison is applied", async || {
        scene.messages(&name).await.len() == 2
    })
    .await;

    let letters = scene.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("one dead letter, as what is no event has no tenant: {letters:?}")
    };
    assert_eq!(letter.name, format!("deadLetters/{poison}"));
    assert_eq!(
        (letter.r#type.as_str(), letter.subject.as_str()),
        ("reflex.leads.v1.LeadAssigned", name.as_str())
    );
    assert!(letter.reason.contains("does not decode"), "{}", letter.reason);
    assert!(
        letter.attempts >= 1 && letter.stream.starts_with("leads.v1:"),
        "{letter:?}"
    );
    let get = GetDeadLetterRequest {
        name: letter.name.clone(),
    };
    let whole = scene
        .dead_letter_service()
        .get_dead_letter(get)
        .await
        .unwrap()
        .into_inner()
        .dead_letter
        .unwrap();
    assert_eq!(whole.data, GARBAGE);

    // A replay that fails again leaves it where it is, with one more attempt.
    let replay = |request_id| ReplayDeadLetterRequest {
        name: letter.name.clone(),
        request_id,
    };
    let refused = scene
        .dead_letter_service()
        .replay_dead_letter(replay(request_id()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert_eq!(scene.dead_letters().await[0].attempts, letter.attempts + 1);

    // A release that can read it, played by bytes that make sense: the replay applies it, once.
    sqlx::query("update dead_letters set data = $1")
        .bind(fine.encode_to_vec())
        .execute(&scene.notifications_database)
        .await
        .unwrap();
    let request = replay(request_id());
    for _ in 0..2 {
        scene
            .dead_letter_service()
            .replay_dead_letter(request.clone())
            .await
            .unwrap();
    }
    assert_eq!(scene.messages(&name).await.len(), 3);
    assert!(scene.dead_letters().await.is_empty());
    let gone = scene
        .dead_letter_service()
        .replay_dead_letter(replay(request_id()))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);

    let dropped = add_event(&scene, &name, GARBAGE).await;
    eventually("another dead letter", async || !scene.dead_letters().await.is_empty()).await;
    let name_of_dropped = format!("deadLetters/{dropped}");
    let drop = DropDeadLetterRequest {
        name: name_of_dropped,
        request_id: request_id(),
    };
    scene.dead_letter_service().drop_dead_letter(drop).await.unwrap();
    assert!(scene.dead_letters().await.is_empty());
    assert_eq!(
        scene.messages(&name).await.len(),
        3,
        "what is dropped tells nobody anything"
    );
    scene.stop().await;
}

/// Adds an event about a lead to the stream, as the relay does, and returns its id.
async fn add_event(scene: &Scene, lead: &str, data: &[u8]) -> Uuid {
    let id = SystemIds.next();
    let id_text = id.to_string();
    let fields: [(&str, &[u8]); 7] = [
        ("id", id_text.as_bytes()),
        ("source", b"leads"),
        ("type", b"reflex.leads.v1.LeadAssigned"),
        ("tenant", scene.tenant.as_str().as_bytes()),
        ("subject", lead.as_bytes()),
        ("time", b"1771200000000000"),
        ("data", data),
    ];
    let _entry: String = scene
        .redis()
        .await
        .xadd(key_of(scene, lead), "*", &fields)
        .await
        .unwrap();
    id
}

fn key_of(scene: &Scene, lead: &str) -> String {
    let shard = shard_of(&scene.tenant, lead, STREAM_SHARDS);
    scene.stream_keys().swap_remove(usize::try_from(shard).unwrap())
}
