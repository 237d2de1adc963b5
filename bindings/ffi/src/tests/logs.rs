//! Log lines: which of them reach the app, on which thread, and what never stands in them (I-61).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use super::alone::is_alone;
use super::kit::{Device, TestServer, Tokens, field_of, mint, wait};
use crate::hooks::FfiHookFailure;
use crate::hooks::log::{FfiLogLevel, FfiLogSink, LINES_MAX, set_log_sink};
use crate::value::FfiChange;

struct Line {
    level: FfiLogLevel,
    text: String,
    thread: ThreadId,
}

/// Keeps every line; the receiver ends with the sink.
struct Lines(Sender<Line>);

impl FfiLogSink for Lines {
    fn log(&self, level: FfiLogLevel, target: String, text: String) -> Result<(), FfiHookFailure> {
        let line = Line { level, text: format!("{target}: {text}"), thread: std::thread::current().id() };
        self.0.send(line).map_err(|_| FfiHookFailure::Failed)
    }
}

/// The lines that come of something.
fn lines_of(level: FfiLogLevel, work: impl FnOnce()) -> Vec<Line> {
    let (tell, lines) = channel();
    set_log_sink(Some(Arc::new(Lines(tell))), level).unwrap();
    work();
    set_log_sink(None, level).unwrap();
    lines.iter().collect()
}

#[test]
fn log_lines_reach_the_app_by_level_and_hold_nothing_of_a_person() {
    if !is_alone("tests::logs::log_lines_reach_the_app_by_level_and_hold_nothing_of_a_person") {
        return;
    }
    const ROW: &str = "canary-row";
    const TEXT: &str = "canary-text";
    const TOKEN: &str = "canary-token";
    let token = mint(3_600);
    let lines = lines_of(FfiLogLevel::Trace, || {
        let server = TestServer::start();
        let first = Device::on(&server);
        let device = Device::with(&server, Tokens::new(vec![Ok(TOKEN.to_owned()), Ok(token.clone())]));
        let guarded = |name: &str| FfiChange::Insert {
            table: "guarded".to_owned(),
            id: Some(ROW.to_owned()),
            fields: vec![field_of("name", name)],
        };
        first.write(vec![guarded("theirs")]);
        first.sync();
        // Refused tokens, refused changes, refused statements.
        device.write(vec![guarded(TEXT)]);
        device.insert(TEXT);
        assert_eq!(device.sync().rejected, 1);
        for sql in [format!("SELECT '{TEXT}' FROM nowhere"), format!("INSERT INTO notes (id, title) VALUES ('{TEXT}')")]
        {
            wait(device.store.clone().execute(sql, Vec::new())).unwrap_err();
        }
        for device in [first, device] {
            wait(device.store.shutdown()).unwrap();
        }
    });
    let has = |level, text: &str| lines.iter().any(|line| line.level == level && line.text.contains(text));
    assert!(has(FfiLogLevel::Info, "turnstone: opened a store"));
    assert!(has(FfiLogLevel::Debug, "turnstone: /sync/v1/push: 200"));
    assert!(has(FfiLogLevel::Debug, "turnstone: /sync/v1/hello: 401"));
    for line in &lines {
        for canary in [ROW, TEXT, TOKEN, &token] {
            assert!(!line.text.contains(canary), "{canary} in: {}", line.text);
        }
        assert_eq!(line.thread, lines[0].thread, "one thread, so one after the other");
        assert_ne!(line.thread, std::thread::current().id(), "and no caller's");
    }

    for (level, expected) in [(FfiLogLevel::Error, 1), (FfiLogLevel::Info, 3), (FfiLogLevel::Trace, 5)] {
        let lines = lines_of(level, || {
            for level in log::Level::iter() {
                log::log!(target: "turnstone", level, "ours");
                log::log!(target: "somebody", level, "not ours");
            }
        });
        assert_eq!(lines.len(), expected, "{level:?} and above");
        assert!(lines.iter().all(|line| line.text == "turnstone: ours"));
    }
}

/// Stands still at its first line until it is told to go on.
struct Slow {
    told: Sender<String>,
    go: Mutex<Receiver<()>>,
}

impl FfiLogSink for Slow {
    fn log(&self, _: FfiLogLevel, _: String, text: String) -> Result<(), FfiHookFailure> {
        self.told.send(text).map_err(|_| FfiHookFailure::Failed)?;
        let _ = self.go.lock().unwrap().recv();
        Ok(())
    }
}

#[test]
fn a_slow_sink_makes_nobody_wait_and_what_it_misses_is_counted() {
    if !is_alone("tests::logs::a_slow_sink_makes_nobody_wait_and_what_it_misses_is_counted") {
        return;
    }
    const LIMIT: Duration = Duration::from_secs(60);
    let ((tell, told), (go, wait)) = (channel(), channel());
    set_log_sink(Some(Arc::new(Slow { told: tell, go: Mutex::new(wait) })), FfiLogLevel::Info).unwrap();
    log::info!(target: "turnstone", "first");
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "first");
    let (done, written) = channel();
    #[expect(clippy::disallowed_methods, reason = "where it waits for the sink, the test must not")]
    std::thread::spawn(move || {
        (0..LINES_MAX + 7).for_each(|n| log::info!(target: "turnstone", "{n}"));
        done.send(()).unwrap();
    });
    written.recv_timeout(LIMIT).expect("whoever logs waits for the sink");
    // From here on it is as fast as can be.
    drop(go);
    set_log_sink(None, FfiLogLevel::Info).unwrap();
    let rest: Vec<String> = told.iter().collect();
    assert_eq!(rest[0], "7 lines were dropped: the sink is slow");
    assert_eq!(rest.len(), 1 + LINES_MAX, "as many as may wait, in their order");
    assert_eq!((rest[1].as_str(), rest[LINES_MAX].parse::<usize>()), ("0", Ok(LINES_MAX - 1)));
}
