//! What is read on a connection: links, each with a credit of messages that may come, and the
//! messages that come in pieces.
//!
//! One session holds a link for each partition. Bytes of unfinished messages are bounded over all
//! links; finished ones are handed out at once, and nothing is read while they wait.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::{self, Frame};
use super::message;
use super::value::Value;
use super::wire::{Wire, closed};

/// Longest message that is read: the largest that Event Hubs takes are 20 MiB.
const EVENT_BYTES_MAX: usize = 32 << 20;
/// Bytes of messages of all partitions of which a piece is missing.
const UNFINISHED_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX;
/// Messages that one partition may send before we ask for more.
const CREDIT: u32 = 256;
/// Frames that may come before we say that more may.
const WINDOW: u32 = 2048;
/// How long an answer about the hub may take.
const ANSWER_SPAN: Duration = Duration::from_secs(30);
/// The node of a hub that is asked about it.
const MANAGEMENT: &str = "$management";

/// A message, whole.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The link, as [`Session::attach`] named it.
    pub(super) link: usize,
    pub(super) bytes: Vec<u8>,
}

/// What came.
#[derive(Debug)]
enum Step {
    /// Nothing, in time.
    Late,
    /// Something that is no message, or a piece of one.
    Other,
    Whole(Delivery),
}

#[derive(Debug, Default)]
struct Link {
    name: String,
    /// By which number the server calls it.
    theirs: Option<u32>,
    credit: u32,
    count: u32,
    unfinished: Vec<u8>,
    is_done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Sender,
    Receiver,
}

/// A session on a connection, with its links.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) wire: Wire,
    links: Vec<Link>,
    /// Number of the next frame with a piece of a message.
    next: u32,
    /// Frames of ours with a piece of a message.
    sent: u32,
    window: u32,
    unfinished: usize,
    /// Messages that wait for our word, from the first to the last.
    unsettled: Option<(u32, u32)>,
}

impl Session {
    pub(super) async fn begin(mut wire: Wire) -> Result<Self, String> {
        let numbers = [0, WINDOW, WINDOW, u32::MAX].map(Value::Uint);
        let fields = [vec![Value::Null], numbers.to_vec()].concat();
        wire.send(&Frame::of(frame::BEGIN, fields)).await?;
        let begun = wire.expect(frame::BEGIN).await?;
        let next = begun.number(1).unwrap_or_default();
        let (links, sent, unfinished) = (Vec::new(), 0, 0);
        Ok(Self { wire, links, next, sent, window: WINDOW, unfinished, unsettled: None })
    }

    /// Asks the hub for the ids of its partitions.
    pub(super) async fn partitions(&mut self, hub: &str) -> Result<Vec<String>, String> {
        let reply_to = "clew";
        let terminus = |code, address: &str| Value::described(code, vec![Value::text(address)]);
        let (to, from) = (terminus(frame::TARGET, MANAGEMENT), terminus(frame::SOURCE, MANAGEMENT));
        let back = terminus(frame::TARGET, reply_to);
        let ours = terminus(frame::SOURCE, reply_to);
        let asks = self.link("questions", Role::Sender, ours, to).await?;
        let answers = self.link("answers", Role::Receiver, from, back).await?;
        let until = Instant::now() + ANSWER_SPAN;
        while self.links.get(asks).is_some_and(|link| link.credit == 0) {
            if let Step::Late = self.step(until).await? {
                return Err("the hub takes no questions".into());
            }
        }
        let handle = Value::Uint(u32::try_from(asks).unwrap_or_default());
        let tag = Value::Bytes(vec![0]);
        let fields = vec![handle, Value::Uint(0), tag, Value::Uint(0), Value::Bool(true)];
        let mut asked = Frame::of(frame::TRANSFER, fields);
        asked.payload = message::question(hub, reply_to);
        self.wire.send(&asked).await?;
        self.sent += 1;
        let answer =
            self.delivery(until).await?.ok_or("the hub does not tell of its partitions")?;
        for link in [asks, answers] {
            self.detach(link).await?;
        }
        self.unsettled = None;
        message::partitions(&answer.bytes)
    }

    /// Reads from an address what is written behind `offset`; gives the link's number.
    pub(super) async fn attach(&mut self, address: &str, offset: &str) -> Result<usize, String> {
        const FILTER: &str = "apache.org:selector-filter:string";
        // A quotation mark within a text is written twice.
        let offset = offset.replace('\'', "''");
        let selector = format!("amqp.annotation.x-opt-offset > '{offset}'");
        let filter = Value::Described(Box::new((Value::symbol(FILTER), Value::text(&selector))));
        let mut fields = vec![Value::Null; 8];
        if let Some(first) = fields.first_mut() {
            *first = Value::text(address);
        }
        if let Some(last) = fields.last_mut() {
            *last = Value::Map(vec![(Value::symbol(FILTER), filter)]);
        }
        let source = Value::described(frame::SOURCE, fields);
        let target = Value::described(frame::TARGET, vec![Value::text("clew")]);
        self.link(address, Role::Receiver, source, target).await
    }

    async fn link(
        &mut self,
        name: &str,
        role: Role,
        source: Value,
        target: Value,
    ) -> Result<usize, String> {
        let number = self.links.len();
        let is_receiver = role == Role::Receiver;
        let fields = vec![
            Value::text(name),
            Value::Uint(u32::try_from(number).unwrap_or(u32::MAX)),
            Value::Bool(is_receiver),
            Value::Ubyte(1), // settled when it is sent: an offset is our word
            Value::Ubyte(0),
            source,
            target,
            Value::Null,
            Value::Null,
            if is_receiver { Value::Null } else { Value::Uint(0) },
            Value::Ulong(EVENT_BYTES_MAX as u64),
        ];
        self.links.push(Link { name: name.to_owned(), ..Link::default() });
        self.wire.send(&Frame::of(frame::ATTACH, fields)).await?;
        Ok(number)
    }

    async fn detach(&mut self, number: usize) -> Result<(), String> {
        if let Some(link) = self.links.get_mut(number) {
            link.is_done = true;
        }
        let handle = Value::Uint(u32::try_from(number).unwrap_or(u32::MAX));
        self.wire.send(&Frame::of(frame::DETACH, vec![handle, Value::Bool(true)])).await
    }

    /// Lets a partition send more, where it has sent half of what it might.
    async fn grant(&mut self, number: usize) -> Result<(), String> {
        let Some(link) = self.links.get_mut(number) else { return Ok(()) };
        if CREDIT / 2 < link.credit || link.is_done {
            return Ok(());
        }
        link.credit = CREDIT;
        let handle = u32::try_from(number).unwrap_or(u32::MAX);
        let more = [handle, link.count, CREDIT].map(Value::Uint).to_vec();
        self.flow(more).await
    }

    /// Says what may come on this session, and on a link.
    async fn flow(&mut self, more: Vec<Value>) -> Result<(), String> {
        self.window = WINDOW;
        let session = [self.next, WINDOW, self.sent, WINDOW].map(Value::Uint).to_vec();
        self.wire.send(&Frame::of(frame::FLOW, [session, more].concat())).await
    }

    /// Says that what came is kept, and that more may come.
    pub(super) async fn settle(&mut self) -> Result<(), String> {
        if let Some((first, last)) = self.unsettled.take() {
            let accepted = Value::described(frame::ACCEPTED, Vec::new());
            let (first, last) = (Value::Uint(first), Value::Uint(last));
            let fields = vec![Value::Bool(true), first, last, Value::Bool(true), accepted];
            self.wire.send(&Frame::of(frame::DISPOSITION, fields)).await?;
        }
        for number in 0..self.links.len() {
            self.grant(number).await?;
        }
        Ok(())
    }

    /// The next message, or `None` at that time.
    pub(super) async fn delivery(&mut self, until: Instant) -> Result<Option<Delivery>, String> {
        loop {
            match self.step(until).await? {
                Step::Late => return Ok(None),
                Step::Other => {}
                Step::Whole(delivery) => return Ok(Some(delivery)),
            }
        }
    }

    /// Says that we leave; whether that is heard does not matter.
    pub(super) async fn close(mut self) {
        self.wire.send(&Frame::of(frame::CLOSE, Vec::new())).await.ok();
    }

    async fn step(&mut self, until: Instant) -> Result<Step, String> {
        let Some(frame) = self.wire.frame(Some(until)).await? else { return Ok(Step::Late) };
        match frame.code {
            frame::ATTACH => {
                let name = frame.field(0).as_text();
                let number = self.links.iter().position(|link| name == Some(&link.name));
                if let Some(link) = number.and_then(|number| self.links.get_mut(number)) {
                    link.theirs = frame.number(1);
                    link.count = frame.number(9).unwrap_or_default();
                }
                // Where they receive, it is they who grant.
                if let Some(number) = number.filter(|_| !frame.is_set(2)) {
                    self.grant(number).await?;
                }
            }
            frame::FLOW => self.heed(&frame).await?,
            frame::TRANSFER => return self.piece(&frame).await,
            frame::DETACH => {
                let number = self.of(&frame);
                let Some(link) = number.and_then(|number| self.links.get_mut(number)) else {
                    return Err("a link was ended that there is not".into());
                };
                link.theirs = None;
                if !link.is_done {
                    return Err(format!("`{}` was ended: {}", link.name, frame.error(2)));
                }
            }
            frame::END => return Err(format!("the session was ended: {}", frame.error(0))),
            frame::CLOSE => return Err(closed(&frame)),
            _ => {}
        }
        Ok(Step::Other)
    }

    /// What we may send, and whether we are asked how we stand.
    async fn heed(&mut self, frame: &Frame) -> Result<(), String> {
        let number = self.of(frame);
        if let Some(link) = number.and_then(|number| self.links.get_mut(number))
            && link.name == "questions"
        {
            link.credit = frame.number(6).unwrap_or_default();
        }
        if frame.is_set(9) { self.flow(Vec::new()).await } else { Ok(()) }
    }

    async fn piece(&mut self, frame: &Frame) -> Result<Step, String> {
        self.next = self.next.wrapping_add(1);
        self.window = self.window.saturating_sub(1);
        if self.window < WINDOW / 2 {
            self.flow(Vec::new()).await?;
        }
        let found = self.of(frame).and_then(|number| Some((number, self.links.get_mut(number)?)));
        let Some((number, link)) = found else {
            return Err("a message came on a link that there is not".into());
        };
        self.unfinished += frame.payload.len();
        link.unfinished.extend_from_slice(&frame.payload);
        if EVENT_BYTES_MAX < link.unfinished.len() || UNFINISHED_BYTES_MAX < self.unfinished {
            return Err(format!("a message on `{}` is too long", link.name));
        }
        if let Some(id) = frame.number(1).filter(|_| !frame.is_set(4)) {
            let first = self.unsettled.map_or(id, |(first, _)| first);
            self.unsettled = Some((first, id));
        }
        if frame.is_set(5) {
            return Ok(Step::Other);
        }
        let bytes = std::mem::take(&mut link.unfinished);
        self.unfinished = self.unfinished.saturating_sub(bytes.len());
        link.credit = link.credit.saturating_sub(1);
        link.count = link.count.wrapping_add(1);
        // One that was broken off begins anew, or never was.
        let is_whole = !frame.is_set(9);
        Ok(if is_whole { Step::Whole(Delivery { link: number, bytes }) } else { Step::Other })
    }

    /// Which link a frame is about.
    fn of(&self, frame: &Frame) -> Option<usize> {
        let place = if frame.code == frame::FLOW { 4 } else { 0 };
        let theirs = Some(frame.number(place)?);
        self.links.iter().position(|link| link.theirs == theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session with so many links, of which the server calls the first 7, and the server.
    async fn session(links: u32) -> (Session, Wire) {
        let [wire, mut server] = Wire::pair();
        let begin = [vec![Value::Ushort(0)], [0, 9, 9].map(Value::Uint).to_vec()];
        server.send(&Frame::of(frame::BEGIN, begin.concat())).await.unwrap();
        let mut session = Session::begin(wire).await.unwrap();
        server.expect(frame::BEGIN).await.unwrap();
        for number in 0..links {
            session.attach(&number.to_string(), "-1").await.unwrap();
            let name = server.expect(frame::ATTACH).await.unwrap().field(0).clone();
            let attached = vec![name, Value::Uint(7 + number), Value::Bool(false)];
            server.send(&Frame::of(frame::ATTACH, attached)).await.unwrap();
        }
        (session, server)
    }

    fn piece(link: u32, id: u32, length: usize, [is_settled, is_more]: [bool; 2]) -> Frame {
        let fields = vec![
            Value::Uint(7 + link),
            Value::Uint(id),
            Value::Null,
            Value::Uint(0),
            Value::Bool(is_settled),
            Value::Bool(is_more),
        ];
        let mut frame = Frame::of(frame::TRANSFER, fields);
        frame.payload = vec![0; length];
        frame
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// What comes of pieces that never end, on so many links in turn.
    async fn flood(links: u32, count: usize) -> Result<Option<Delivery>, String> {
        const LENGTH: usize = 32 << 10;
        let (mut session, mut server) = session(links).await;
        let flood = async {
            for (_, link) in (0..count).zip((0..links).cycle()) {
                server.send(&piece(link, link, LENGTH, [true, true])).await.unwrap();
            }
            server.send(&piece(0, 0, 0, [true, false])).await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            outcome = session.delivery(soon()) => outcome,
            () = flood => Ok(None),
        }
    }

    #[tokio::test]
    async fn a_message_has_at_most_event_bytes_max() {
        let most = EVENT_BYTES_MAX / (32 << 10);
        assert_eq!(flood(1, most).await.unwrap().unwrap().bytes.len(), EVENT_BYTES_MAX);
        assert_eq!(flood(1, most + 1).await.unwrap_err(), "a message on `0` is too long");
    }

    #[tokio::test]
    async fn unfinished_messages_have_at_most_unfinished_bytes_max() {
        let most = UNFINISHED_BYTES_MAX / (32 << 10);
        assert!(flood(3, most).await.is_ok());
        assert!(flood(3, most + 1).await.unwrap_err().ends_with("is too long"));
    }

    #[tokio::test]
    async fn a_server_that_wants_to_be_told_what_is_kept_is_told_once_it_is() {
        let (mut session, mut server) = session(1).await;
        for id in 0..3 {
            server.send(&piece(0, id, 1, [id == 0, false])).await.unwrap();
            session.delivery(soon()).await.unwrap().unwrap();
        }
        assert_eq!(server.expect(frame::FLOW).await.unwrap().number(6), Some(CREDIT));
        assert_eq!(server.frame(Some(Instant::now())).await, Ok(None), "nothing is told yet");
        session.settle().await.unwrap();
        let told = server.expect(frame::DISPOSITION).await.unwrap();
        assert_eq!((told.number(1), told.number(2)), (Some(1), Some(2)));
        assert!(told.is_set(0) && told.is_set(3));
    }

    #[tokio::test]
    async fn more_is_asked_for_where_half_of_it_came() {
        let (mut session, mut server) = session(1).await;
        for id in 0..CREDIT / 2 {
            server.send(&piece(0, id, 1, [true, false])).await.unwrap();
            session.delivery(soon()).await.unwrap().unwrap();
            session.settle().await.unwrap();
        }
        for count in [0, CREDIT / 2] {
            let flow = server.expect(frame::FLOW).await.unwrap();
            assert_eq!((flow.number(4), flow.number(5)), (Some(0), Some(count)));
        }
        assert_eq!(server.frame(Some(Instant::now())).await, Ok(None));
    }

    #[tokio::test]
    async fn whatever_is_ended_is_told_with_its_reason() {
        let error = vec![Value::symbol("amqp:link:stolen"), Value::text("by another")];
        let error = Value::described(0x1d, error);
        let handle = || vec![Value::Uint(7), Value::Bool(true)];
        let cases = [
            (frame::DETACH, handle(), "`0` was ended: `amqp:link:stolen` by another"),
            (frame::END, Vec::new(), "the session was ended: `amqp:link:stolen` by another"),
            (
                frame::CLOSE,
                Vec::new(),
                "the server closed the connection: `amqp:link:stolen` by another",
            ),
        ];
        for (code, mut fields, expected) in cases {
            let (mut session, mut server) = session(1).await;
            fields.push(error.clone());
            server.send(&Frame::of(code, fields)).await.unwrap();
            assert_eq!(session.delivery(soon()).await.unwrap_err(), expected);
        }
        let (mut session, mut server) = session(1).await;
        server.send(&piece(5, 0, 1, [true, false])).await.unwrap();
        assert!(session.delivery(soon()).await.unwrap_err().contains("that there is not"));
    }
}
