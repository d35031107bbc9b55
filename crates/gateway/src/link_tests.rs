use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::*;

/// A link whose connections come out at the other end, in the order they were made.
fn link(expires: Option<Duration>) -> (Link, mpsc::UnboundedReceiver<DuplexStream>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let connect = move || {
        let (near, far) = duplex(64 * 1024);
        sender.send(far).unwrap();
        let opened = Opened {
            stream: Box::new(near) as _,
            unread: BytesMut::new(),
            expires: expires.map(|after| Instant::now() + after),
        };
        async move { Ok(opened) }.boxed()
    };
    (Link::new(Box::new(connect), 1 << 20), receiver)
}

fn frame(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(4 + body.len()).unwrap();
    [&length.to_be_bytes(), &correlation_id.to_be_bytes(), body].concat()
}

async fn request(broker: &mut DuplexStream) -> Vec<u8> {
    let length = usize::try_from(broker.read_i32().await.unwrap()).unwrap();
    let mut request = vec![0; length];
    broker.read_exact(&mut request).await.unwrap();
    request
}

async fn all(mut answer: Answer) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|cx| {
        let mut state = answer.link.0.lock();
        let head = state.poll_head(answer.turn, cx);
        state.closing_on_error(head)
    })
    .await?;
    let mut whole = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| answer.poll_bytes(cx)).await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

#[tokio::test]
async fn requests_leave_in_order_and_answers_come_back_as_they_are() {
    let (link, mut brokers) = link(None);
    let first = link.send(Bytes::from_static(b"one"), 1).unwrap();
    let second = link.send(Bytes::from_static(b"two"), 2).unwrap();
    let mut broker = brokers.recv().await.unwrap();
    let serving = async {
        assert_eq!(request(&mut broker).await, b"one");
        assert_eq!(request(&mut broker).await, b"two");
        let both = [frame(1, b"first"), frame(2, &[7; 200_000])].concat();
        broker.write_all(&both).await.unwrap();
        broker
    };
    let (_broker, answers) = tokio::join!(serving, async { (all(first).await, all(second).await) });
    assert_eq!(answers.0.unwrap(), frame(1, b"first"));
    assert_eq!(answers.1.unwrap(), frame(2, &[7; 200_000]));
    assert_eq!(link.0.lock().incoming.capacity(), 0, "an idle link holds no buffer");
}

#[tokio::test]
async fn no_more_is_read_than_the_client_has_room_for() {
    let (link, mut brokers) = link(None);
    let answer = link.send(Bytes::from_static(b"fetch"), 1).unwrap();
    let mut broker = brokers.recv().await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let serving = tokio::spawn(async move {
        request(&mut broker).await;
        for piece in frame(1, &vec![1; 900_000]).chunks(10_000) {
            broker.write_all(piece).await.unwrap();
            counted.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let mut forward = answer.begin().await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // What the pipe holds, and what was read of it.
    assert!(written.load(Ordering::SeqCst) <= 64 * 1024 + READ_BYTES_MAX + 10_000);
    let response = forward_bytes(&mut forward).await;
    assert_eq!(response.len(), 8 + 900_000);
    serving.await.unwrap();
}

async fn forward_bytes(forward: &mut Forward) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| forward.poll_bytes(cx)).await {
        whole.extend_from_slice(&piece.unwrap());
    }
    whole
}

#[tokio::test]
async fn an_answer_to_something_else_or_of_an_impossible_length_closes_the_link() {
    for wrong in [frame(2, b"x"), vec![0, 0, 0, 3, 0, 0, 0, 1], vec![0x7f, 0, 0, 0, 0, 0, 0, 1]] {
        let (link, mut brokers) = link(None);
        let answer = link.send(Bytes::from_static(b"one"), 1).unwrap();
        let next = link.send(Bytes::from_static(b"two"), 2).unwrap();
        let mut broker = brokers.recv().await.unwrap();
        broker.write_all(&wrong).await.unwrap();
        assert!(all(answer).await.is_err());
        assert!(all(next).await.is_err(), "nothing after it can be told apart");
        assert!(link.send(Bytes::from_static(b"three"), 3).is_err(), "it must not overtake those");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_wants_any_more_closes_the_link() {
    let (link, mut brokers) = link(None);
    let answer = link.send(Bytes::from_static(b"one"), 1).unwrap();
    let mut broker = brokers.recv().await.unwrap();
    broker.write_all(&frame(1, b"answer")[..9]).await.unwrap();
    drop(answer.begin().await.unwrap());
    assert_eq!(request(&mut broker).await, b"one");
    assert_eq!(broker.read_to_end(&mut Vec::new()).await.unwrap(), 0, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_or_has_expired_is_replaced_while_nothing_is_due() {
    let (link, mut brokers) = link(Some(Duration::from_secs(60)));
    let mut open = async |link: &Link, id: i32| {
        let answer = link.send(Bytes::from_static(b"x"), id).unwrap();
        (answer, brokers.try_recv().ok())
    };
    let (answer, broker) = open(&link, 1).await;
    let mut broker = broker.unwrap();
    broker.write_all(&frame(1, b"")).await.unwrap();
    all(answer).await.unwrap();
    // Still the same one.
    let (answer, other) = open(&link, 2).await;
    assert!(other.is_none());
    broker.write_all(&frame(2, b"")).await.unwrap();
    all(answer).await.unwrap();
    drop(broker);
    tokio::time::advance(DOUBTFUL_AFTER * 2).await;
    let (answer, broker) = open(&link, 3).await;
    let mut broker = broker.expect("the broker had closed");
    broker.write_all(&frame(3, b"")).await.unwrap();
    all(answer).await.unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    let (answer, broker) = open(&link, 4).await;
    let mut broker = broker.expect("the session had ended");
    broker.write_all(&frame(4, b"")).await.unwrap();
    all(answer).await.unwrap();
}

#[tokio::test]
async fn a_request_without_an_answer_is_on_its_way_when_it_is_said_to_be() {
    let (link, mut brokers) = link(None);
    link.send_unanswered(Bytes::from_static(b"acks=0")).unwrap().await.unwrap();
    assert_eq!(request(&mut brokers.recv().await.unwrap()).await, b"acks=0");
}

#[tokio::test]
async fn a_broker_that_can_not_be_reached_is_tried_again_by_the_next_client_only() {
    let link = Link::new(Box::new(|| async { Err(io::ErrorKind::ConnectionRefused.into()) }.boxed()), 1024);
    let answer = link.send(Bytes::from_static(b"one"), 1).unwrap();
    assert_eq!(all(answer).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(link.send(Bytes::from_static(b"two"), 2).is_err(), "the client's connection ends with it");
}
