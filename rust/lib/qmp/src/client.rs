//! The client: whoever asks waits for its own answer, one thread reads for all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::Error;

/// QEMU answers at once; on a starved machine that can still take a while.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Events kept; older ones are dropped.
const EVENTS: usize = 1024;
/// Longest line taken. The longest answers that anybody asks for here (statistics of every drive) have a few KiB.
const MOST_LINE: u64 = 1 << 20;

/// Something QEMU reported of its own accord.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, such as `SHUTDOWN`.
    pub name: String,
    /// What goes with it, such as `{"guest": true, "reason": "guest-shutdown"}`.
    pub data: Value,
}

#[derive(Debug, Default)]
struct State {
    greeted: bool,
    closed: bool,
    events: VecDeque<Event>,
    /// Commands whose answer somebody waits for.
    asked: BTreeSet<u64>,
    answers: BTreeMap<u64, Value>,
    next_id: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `pick` finds something, the connection closes (None) or `limit` is over (None).
    fn wait<T>(&self, limit: Duration, mut pick: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(found) = pick(&mut state) {
                return Some(found);
            }
            let left = limit.checked_sub(start.elapsed())?;
            if state.closed || left.is_zero() {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// A connection to QEMU's monitor.
#[derive(Debug)]
pub struct Qmp {
    shared: Arc<Shared>,
    writer: UnixStream,
}

impl Qmp {
    /// Shakes hands over `stream`. `on_event` is called for each event, from the reading thread; while it takes its time nothing more is
    /// read. The thread ends with the connection.
    pub fn connect(
        stream: UnixStream,
        on_event: impl Fn(&Event) + Send + 'static,
    ) -> Result<Self, Error> {
        let reader = stream.try_clone().map_err(Error::io("open QMP twice"))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("qmp".to_owned())
            .spawn(move || read_all(BufReader::new(reader), &theirs, &on_event))
            .map_err(Error::io("start QMP's thread"))?;
        let qmp = Self {
            shared,
            writer: stream,
        };
        qmp.shared
            .wait(ANSWER_TIME, |state| state.greeted.then_some(()))
            .ok_or(Error::NoGreeting {
                seconds: ANSWER_TIME.as_secs(),
            })?;
        qmp.execute("qmp_capabilities", Value::Null)?;
        Ok(qmp)
    }

    /// Executes `command` and gives back what it returns; `arguments` may be null.
    pub fn execute(&self, command: &str, arguments: Value) -> Result<Value, Error> {
        let id = {
            let mut state = self.shared.lock();
            state.next_id = state.next_id.wrapping_add(1);
            let id = state.next_id;
            state.asked.insert(id);
            id
        };
        let answer = self.send(command, arguments, id).map(|()| {
            let answers = |state: &mut State| state.answers.remove(&id);
            self.shared.wait(ANSWER_TIME, answers)
        });
        // Whatever comes from now on, nobody waits for it.
        let mut state = self.shared.lock();
        state.asked.remove(&id);
        state.answers.remove(&id);
        drop(state);
        let answer = answer?.ok_or_else(|| Error::NoAnswer {
            command: command.to_owned(),
            seconds: ANSWER_TIME.as_secs(),
        })?;
        match (answer.get("return"), answer.get("error")) {
            (Some(value), None) => Ok(value.clone()),
            (_, Some(error)) => Err(Error::Refused {
                command: command.to_owned(),
                detail: error.to_string(),
            }),
            (None, None) => Err(malformed(
                command,
                format!("neither result nor error in {answer}"),
            )),
        }
    }

    fn send(&self, command: &str, arguments: Value, id: u64) -> Result<(), Error> {
        let mut request = json!({ "execute": command, "id": id });
        if let (false, Some(object)) = (arguments.is_null(), request.as_object_mut()) {
            object.insert("arguments".to_owned(), arguments);
        }
        (&self.writer)
            .write_all(format!("{request}\n").as_bytes())
            .map_err(Error::io(format!("send {command} to QEMU")))
    }

    /// The guest's state, such as `running`, `shutdown` or `internal-error`.
    pub fn status(&self) -> Result<String, Error> {
        let answer = self.execute("query-status", Value::Null)?;
        answer
            .get("status")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| malformed("query-status", format!("no status in {answer}")))
    }

    /// Presses the power button.
    pub fn powerdown(&self) -> Result<(), Error> {
        self.execute("system_powerdown", Value::Null).map(drop)
    }

    /// Ends QEMU at once, as if the plug were pulled.
    pub fn quit(&self) -> Result<(), Error> {
        self.execute("quit", Value::Null).map(drop)
    }

    /// Waits for an event called `name`, one that came earlier included; each is given out once.
    pub fn wait_event(&self, name: &str, limit: Duration) -> Result<Event, Error> {
        self.shared
            .wait(limit, |state| {
                let at = state.events.iter().position(|event| event.name == name)?;
                state.events.remove(at)
            })
            .ok_or_else(|| Error::NoEvent {
                event: name.to_owned(),
                seconds: limit.as_secs(),
            })
    }
}

fn malformed(command: &str, detail: String) -> Error {
    Error::Malformed {
        command: command.to_owned(),
        detail,
    }
}

/// Sorts every line that arrives into events and answers, until the connection closes.
fn read_all(mut reader: impl BufRead, shared: &Shared, on_event: &dyn Fn(&Event)) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(MOST_LINE).read_until(b'\n', &mut line);
        // What has no end is no line: the connection ended, or this is not QMP.
        if read.is_err() || !line.ends_with(b"\n") {
            break;
        }
        // A line that is not JSON answers nothing; whoever waits runs into its deadline.
        let Ok(value) = serde_json::from_slice::<Value>(&line) else {
            continue;
        };
        let event = event_of(&value);
        if let Some(event) = &event {
            on_event(event);
        }
        let mut state = shared.lock();
        if let Some(event) = event {
            if state.events.len() >= EVENTS {
                state.events.pop_front();
            }
            state.events.push_back(event);
        } else if value.get("QMP").is_some() {
            state.greeted = true;
        } else if let Some(id) = value.get("id").and_then(Value::as_u64) {
            if state.asked.contains(&id) {
                state.answers.insert(id, value);
            }
        }
        drop(state);
        shared.changed.notify_all();
    }
    shared.lock().closed = true;
    shared.changed.notify_all();
}

fn event_of(value: &Value) -> Option<Event> {
    Some(Event {
        name: value.get("event")?.as_str()?.to_owned(),
        data: value.get("data").cloned().unwrap_or(Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays QEMU: greets, then answers the commands in order with `answers` (`$ID` is replaced).
    fn qemu(answers: &'static [&'static str]) -> Qmp {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut writer = theirs.try_clone().unwrap();
            writer
                .write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n")
                .unwrap();
            let mut lines = BufReader::new(theirs).lines();
            for answer in ["{\"return\": {}, \"id\": $ID}"].iter().chain(answers) {
                let request: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
                let text = answer.replace("$ID", &request["id"].to_string());
                writer.write_all(text.as_bytes()).unwrap();
                writer.write_all(b"\r\n").unwrap();
            }
        });
        Qmp::connect(ours, |_| {}).unwrap()
    }

    #[test]
    fn answers_and_events_are_told_apart() {
        let qmp = qemu(&[
            "{\"event\": \"RESUME\"}\r\n{\"return\": {\"status\": \"running\"}, \"id\": $ID}",
            "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-shutdown\"}}\r\n{\"return\": {}, \"id\": $ID}",
        ]);
        assert_eq!(qmp.status().unwrap(), "running");
        qmp.powerdown().unwrap();
        let event = qmp.wait_event("SHUTDOWN", ANSWER_TIME).unwrap();
        assert_eq!(event.data["reason"], "guest-shutdown");
        assert!(matches!(
            qmp.wait_event("SHUTDOWN", Duration::from_millis(50)),
            Err(Error::NoEvent { .. })
        ));
    }

    #[test]
    fn errors_and_rubbish_are_reported() {
        let qmp = qemu(&[
            "rubbish\r\n[1,2]\r\n{\"return\": {}, \"id\": 77}\r\n{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}, \"id\": $ID}",
            "{\"id\": $ID}",
        ]);
        let error = qmp.execute("fly", Value::Null).unwrap_err().to_string();
        assert!(error.starts_with("QMP command fly: {\"class\""), "{error}");
        let error = qmp.execute("fly", json!({"to": 1})).unwrap_err();
        assert!(
            error.to_string().contains("neither result nor error"),
            "{error}"
        );
        // What nobody asked for is not kept.
        assert!(qmp.shared.lock().answers.is_empty());
    }

    #[test]
    fn a_line_without_end_ends_the_connection() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            let mut writer = &theirs;
            let chunk = vec![b'x'; 1 << 16];
            // More than a line may have; it is read and dropped.
            (0..32).try_for_each(|_| writer.write_all(&chunk))
        });
        assert!(matches!(
            Qmp::connect(ours, |_| {}),
            Err(Error::NoGreeting { .. })
        ));
        let _ = writer.join().unwrap();
    }
}
