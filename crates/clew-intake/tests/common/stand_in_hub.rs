//! A stand-in for Event Hubs, on an implementation of AMQP 1.0 that is not ours.
//!
//! Of what Event Hubs alone has it knows the question for partitions at `$management` and the
//! selector by offset, as Azure describes both; a hub of Azure has not been asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, SaslPlainMechanism, SessionAcceptor,
};
use fe2o3_amqp::link::{Receiver, Sender};
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Message, MessageAnnotations, Source,
};
use fe2o3_amqp::types::primitives::{Binary, OrderedMap, SimpleValue, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What was written into a partition.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Bytes(Vec<u8>),
    Number(u32),
}

#[derive(Debug, Default)]
struct Kept {
    partitions: Vec<Vec<(i64, Body)>>,
    /// By which selectors partitions were read, with their addresses.
    asked: Vec<String>,
}

/// A hub whose key is `listen` and `k3y`.
#[derive(Clone, Debug)]
pub(crate) struct StandInHub {
    kept: Arc<Mutex<Kept>>,
    changed: watch::Sender<()>,
    broken: watch::Sender<()>,
    pub(crate) address: SocketAddr,
}

impl StandInHub {
    pub(crate) fn serve(runtime: &Runtime, partitions: usize) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let kept = Kept { partitions: vec![Vec::new(); partitions], ..Kept::default() };
        let hub = Self {
            kept: Arc::new(Mutex::new(kept)),
            changed: watch::channel(()).0,
            broken: watch::channel(()).0,
            address: listener.local_addr().unwrap(),
        };
        let served = hub.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().connection(stream));
            }
        });
        hub
    }

    pub(crate) fn connection_string(&self, key: &str) -> String {
        format!(
            "Endpoint=sb://{};SharedAccessKeyName=listen;SharedAccessKey={key};\
             EntityPath=logs;UseDevelopmentEmulator=true",
            self.address
        )
    }

    pub(crate) fn write(&self, partition: usize, body: impl Into<Vec<u8>>) {
        self.put(partition, Some(Body::Bytes(body.into())));
    }

    /// Writes an event; without one, a number is left out as by events that are gone.
    pub(crate) fn put(&self, partition: usize, body: Option<Body>) {
        let mut kept = self.kept.lock().unwrap();
        let events = &mut kept.partitions[partition];
        let number = events.last().map_or(0, |(number, _)| number + 1);
        match body {
            Some(body) => events.push((number, body)),
            None => events.last_mut().unwrap().0 += 1,
        }
        drop(kept);
        self.changed.send_replace(());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.kept.lock().unwrap().asked.clone()
    }

    /// Cuts all connections, in the middle of whatever is said.
    pub(crate) fn cut(&self) {
        self.broken.send_replace(());
    }

    async fn connection(self, mut stream: TcpStream) {
        let (mut outer, inner) = tokio::io::duplex(64 << 10);
        let mut broken = self.broken.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                _ = broken.changed() => {}
                _ = tokio::io::copy_bidirectional(&mut stream, &mut outer) => {}
            }
        });
        let acceptor = ConnectionAcceptor::builder()
            .container_id("stand-in")
            .sasl_acceptor(SaslPlainMechanism::new("listen", "k3y"))
            .build();
        let Ok(mut connection) = acceptor.accept(inner).await else { return };
        let Ok(mut session) = SessionAcceptor::new().accept(&mut connection).await else { return };
        let links = LinkAcceptor::new();
        let (mut tasks, mut questions, mut answers) = (JoinSet::new(), None, None);
        while let Ok(link) = links.accept(&mut session).await {
            match link {
                LinkEndpoint::Receiver(receiver) => questions = Some(receiver),
                LinkEndpoint::Sender(sender) if address(&sender) == "$management" => {
                    answers = Some(sender);
                }
                LinkEndpoint::Sender(sender) => {
                    tasks.spawn(self.clone().partition(sender));
                }
            }
            if let (Some(_), Some(_)) = (&questions, &answers) {
                let (Some(questions), Some(answers)) = (questions.take(), answers.take()) else {
                    return;
                };
                let count = self.kept.lock().unwrap().partitions.len();
                tasks.spawn(management(questions, answers, count));
            }
        }
    }

    async fn partition(self, mut sender: Sender) {
        let address = address(&sender);
        let selector = selector(sender.source().as_ref().unwrap());
        let partition: usize = address.rsplit('/').next().unwrap().parse().unwrap();
        let offset = selector.split('\'').nth(1).unwrap().to_owned();
        // Offsets are bytes and not numbers: here each event takes ten.
        let mut from = offset.parse::<i64>().unwrap();
        self.kept.lock().unwrap().asked.push(format!("{address} {selector}"));
        let mut changed = self.changed.subscribe();
        loop {
            let events = self.kept.lock().unwrap().partitions[partition].clone();
            for (number, body) in events {
                let offset = number * 10;
                if offset <= from {
                    continue;
                }
                from = offset;
                if send(&mut sender, offset, number, body).await.is_none() {
                    return;
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn send(sender: &mut Sender, offset: i64, number: i64, body: Body) -> Option<()> {
    let annotations = MessageAnnotations::builder()
        .insert("x-opt-sequence-number", number)
        .insert("x-opt-offset", offset.to_string())
        .build();
    let message = Message::builder().message_annotations(annotations);
    match body {
        Body::Bytes(bytes) => sender.send(message.data(Binary::from(bytes)).build()).await.ok()?,
        Body::Number(number) => sender.send(message.value(number).build()).await.ok()?,
    };
    Some(())
}

/// Answers once what the hub is like.
async fn management(mut questions: Receiver, mut answers: Sender, count: usize) {
    let Ok(asked) = questions.recv::<AmqpValue<Value>>().await else { return };
    let asked = asked.into_message().application_properties.unwrap();
    let is_good = [("operation", "READ"), ("name", "logs"), ("type", "com.microsoft:eventhub")]
        .into_iter()
        .all(|(name, value)| asked.0.get(name) == Some(&SimpleValue::from(value.to_owned())));
    let status = if is_good { 200 } else { 404 };
    let ids = (0..count).map(|id| Value::from(id.to_string())).collect();
    let mut body = OrderedMap::new();
    body.insert(Value::from("partition_ids".to_owned()), Value::List(ids));
    let answer = Message::builder()
        .application_properties(
            ApplicationProperties::builder().insert("status-code", status).build(),
        )
        .value(Value::Map(body))
        .build();
    answers.send(answer).await.ok();
    // Both links stay until we are left.
    questions.recv::<AmqpValue<Value>>().await.ok();
}

fn address(sender: &Sender) -> String {
    let source = sender.source().as_ref().unwrap();
    source.address.as_ref().unwrap().to_string()
}

fn selector(source: &Source) -> String {
    let filter = source.filter.as_ref().unwrap();
    let Some(Value::Described(filter)) = filter.values().next() else { return String::new() };
    if let Value::String(selector) = &filter.value { selector.clone() } else { String::new() }
}
