//! Takes every event of a run to all who want to know of it, and says its last words, once. One value,
//! made at the start and handed down, so that a signal can still deliver what is known.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::diag::{Diagnostics, SourceMap};
use crate::forge::ForgeRequest;
use crate::platform::Exchange;
use crate::sinks::SinkRequest;

use super::console::Console;
use super::document::{self, Document};
use super::events::Event;
use super::exit::Exit;
use super::failure::Failure;
use super::log::Log;
use super::options::{FormArgs, Format};
use super::record::{Left, Recording};

/// What a run has to say, and to whom.
#[derive(Clone, Debug)]
pub struct Reporter(Arc<Listeners>);

/// Who is told. Each is locked by itself, and for no longer than it takes to note something: who prints
/// may wait for a reader for ever.
#[derive(Debug)]
struct Listeners {
    console: Console,
    document: Mutex<Document>,
    record: Mutex<Option<Recording>>,
    log: OnceLock<Log>,
    /// How the run ended, once its last words are said. Locked while they are: a signal must not end
    /// the program in the middle.
    ended: Mutex<Option<Exit>>,
    /// How the run is ending, from the moment on at which its last words begin.
    ending: OnceLock<Exit>,
}

/// Something is waited for until this goes.
#[must_use = "nothing is waited for any more once this is gone"]
#[derive(Debug)]
pub struct Waiting<'a>(&'a Reporter);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.tell(Event::Rested);
    }
}

/// What was left half made by a panic still says more than nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reporter {
    /// A run of a command that answers in these forms; `asks` says whether people may be asked.
    pub fn new(command: &str, form: &FormArgs, asks: bool) -> Self {
        let document = Document::new(command, form);
        Self(Arc::new(Listeners {
            console: Console::new(form.format == Format::Human, asks),
            document: Mutex::new(document),
            record: Mutex::new(None),
            log: OnceLock::new(),
            ended: Mutex::new(None),
            ending: OnceLock::new(),
        }))
    }

    /// Keeps a record from now on.
    pub fn keep(&self, record: Recording) {
        *locked(&self.0.record) = Some(record);
    }

    /// Takes what went wrong while something was told. If the record is being written at that moment, it
    /// is too late for it.
    fn complain(&self, failure: &Failure) {
        if let Ok(mut record) = self.0.record.try_lock()
            && let Some(record) = record.as_mut()
        {
            record.take(Event::Failed(failure));
        }
        locked(&self.0.document).complain(failure);
        self.show(Event::Failed(failure));
    }

    /// Logs from now on.
    pub fn log(&self, log: Log, command: &str) {
        let _ = self.0.log.set(log);
        self.tell(Event::Began { command });
    }

    /// Takes what happened to all.
    pub fn emit(&self, event: Event<'_>) {
        if let Some(record) = locked(&self.0.record).as_mut() {
            record.take(event);
        }
        self.tell(event);
    }

    /// Takes what happened to all but the record.
    fn tell(&self, event: Event<'_>) {
        locked(&self.0.document).take(event);
        self.show(event);
    }

    /// Takes what happened to those who watch: the log and people.
    fn show(&self, event: Event<'_>) {
        if let Some(log) = self.0.log.get()
            && let Err(failure) = log.take(event, &self.0.console)
        {
            self.complain(&failure);
        }
        if let Err(failure) = self.0.console.take(event) {
            self.complain(&failure);
        }
    }

    /// Takes note of a request that is over.
    pub fn request(&self, exchange: &Exchange) {
        self.tell(Event::Request(exchange));
    }

    /// Takes note of a request to a store that is over.
    pub fn sink_request(&self, request: &SinkRequest) {
        self.tell(Event::SinkRequest(request));
    }

    /// Takes note of a request to the code host that is over.
    pub fn host_request(&self, request: &ForgeRequest) {
        self.tell(Event::HostRequest(request));
    }

    /// Prints a result for people; nothing where standard output holds JSON.
    pub fn result(&self, text: &str) {
        self.tell(Event::Result(text));
    }

    /// Prints a result for programs, whatever the form of standard output.
    pub fn data(&self, text: &str) {
        self.tell(Event::Data(text));
    }

    /// Prints something for those who watch.
    pub fn note(&self, text: &str) {
        self.tell(Event::Note(text));
    }

    /// Warns, a fragment.
    pub fn warn(&self, message: &str) {
        self.warn_with(message, &[]);
    }

    /// Warns, a fragment with a line each for what belongs to it.
    pub fn warn_with(&self, message: &str, help: &[String]) {
        self.tell(Event::Warning { message, help });
    }

    /// Tells what was found in the configuration and ends nothing.
    pub fn found(&self, found: &Diagnostics, sources: &SourceMap) {
        self.tell(Event::Found { found, sources });
    }

    /// Shows that something is waited for.
    pub fn waiting(&self, what: &str) -> Waiting<'_> {
        self.tell(Event::Waiting(what));
        Waiting(self)
    }

    /// Shows that so many changes are under way.
    pub fn applying(&self, changes: usize) -> Waiting<'_> {
        self.tell(Event::Applying(changes));
        Waiting(self)
    }

    /// Whether somebody can be asked.
    pub fn askable(&self) -> bool {
        self.0.console.askable()
    }

    /// Whether people see results.
    pub fn seen(&self) -> bool {
        self.0.console.seen()
    }

    /// How wide lines for people may be, where that is known.
    pub fn columns(&self) -> Option<usize> {
        self.0.console.columns()
    }

    /// Writes no document to a file: what `--json-out` names is not to be touched.
    pub fn no_file(&self) {
        locked(&self.0.document).no_file();
    }

    /// Sees before anything else happens that the file of `--json-out` can be written.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn probe(&self) -> Result<(), Failure> {
        locked(&self.0.document).probe()
    }

    /// Shows a failure, says the last words, and gives the exit code.
    pub fn finish(&self, ended: Result<Exit, Failure>) -> Exit {
        let exit = ended.unwrap_or_else(|failure| {
            self.emit(Event::Failed(&failure));
            failure.exit()
        });
        self.last_words(exit, || {})
    }

    /// Says the last words and ends the program, from wherever it is.
    pub fn abort(&self, failure: &Failure) -> ! {
        let exit = self.last_words(failure.exit(), || self.emit(Event::Failed(failure)));
        std::process::exit(i32::from(exit.code()))
    }

    /// How the run is ending, if its last words are being said or are said.
    pub fn ending(&self) -> Option<Exit> {
        self.0.ending.get().copied()
    }

    /// Ends the program in the middle of its last words. The record is no word that waits for a reader.
    pub fn leave(&self, ending: Exit) -> ! {
        if let Some(log) = self.0.log.get() {
            log.mute();
        }
        let written = locked(&self.0.document).written();
        let exit = self.finish_record(unseen(ending, written));
        std::process::exit(i32::from(exit.code()))
    }

    /// Delivers the document, ends the log, then the record, which so knows of a result that nobody could
    /// read, and gives the exit code. Who comes second waits, and gets the code of the first.
    fn last_words(&self, exit: Exit, first: impl FnOnce()) -> Exit {
        let mut ended = locked(&self.0.ended);
        if let Some(ended) = *ended {
            return ended;
        }
        self.0.ending.get_or_init(|| exit);
        first();
        let delivered = self.deliver(exit);
        self.tell(Event::Ended(delivered));
        let told = self.seen_to_be(delivered);
        let exit = self.finish_record(told);
        if exit != told {
            self.tell(Event::Ended(exit));
        }
        if exit != delivered {
            // The log or the record could not be written; the document in a file can still say so.
            self.again(exit);
        }
        *ended = Some(exit);
        exit
    }

    /// Delivers the document wherever it was asked for. A result that nobody could read is no result,
    /// and that counts in the exit code.
    fn deliver(&self, exit: Exit) -> Exit {
        let (is_result, file, written) = {
            let document = locked(&self.0.document);
            let file = document.file().map(ToOwned::to_owned);
            (document.is_result(), file, document.written())
        };
        let mut told = self.seen_to_be(exit);
        if let Some(path) = &file
            && let Err(failure) = document::write(path, &self.document(told))
        {
            self.emit(Event::Failed(&failure));
            told = unseen(told, written);
            self.no_file();
        }
        if is_result {
            self.data(&self.document(told));
        }
        let exit = self.seen_to_be(told);
        if exit != told {
            self.again(exit);
        }
        exit
    }

    /// The exit code of a run that ends so, seeing whether its results and its log could be written.
    fn seen_to_be(&self, exit: Exit) -> Exit {
        let lost = self.0.console.lost() || self.0.log.get().is_some_and(Log::lost);
        match lost {
            true => unseen(exit, locked(&self.0.document).written()),
            false => exit,
        }
    }

    fn document(&self, exit: Exit) -> String {
        locked(&self.0.document).text(exit)
    }

    /// Writes the file of `--json-out` once more, since the run ends in another way than it says.
    fn again(&self, exit: Exit) {
        let file = locked(&self.0.document).file().map(ToOwned::to_owned);
        if let Some(path) = file.filter(|path| document::can_be_rewritten(path))
            && let Err(failure) = document::write(&path, &self.document(exit))
        {
            self.emit(Event::Failed(&failure));
        }
    }

    /// Writes the record, if one is kept, and gives the exit code.
    fn finish_record(&self, exit: Exit) -> Exit {
        // Held while it is written: who leaves in the middle of the last words waits for that, and not for
        // whoever reads what is told of it.
        let left = match locked(&self.0.record).as_mut() {
            None => return exit,
            Some(record) => record.finish(exit),
        };
        match left {
            Left::Before(exit) => exit,
            Left::Told(exit, text) => {
                self.note(&text);
                exit
            }
            Left::Lost { exit, why, text } => {
                self.tell(Event::Failed(&why));
                self.note(&text);
                exit
            }
        }
    }
}

/// The exit code of a run whose result could not be written: never a success, and never one that
/// says that nothing was written if something was.
fn unseen(exit: Exit, written: bool) -> Exit {
    match exit {
        _ if written => Exit::Partial,
        exit if exit.is_result() => Exit::Error,
        exit => exit,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::cli::log;
    use crate::cli::options::{Format, Level, LogArgs};
    use crate::cli::record::{self, Wanted};

    fn to_json(dir: &Path) -> Reporter {
        let form = FormArgs {
            format: Format::Human,
            json_out: Some(dir.join("run.json")),
        };
        Reporter::new("plan", &form, false)
    }

    fn to_log(file: &Path) -> Log {
        let wanted = log::wanted(&LogArgs {
            log: Some(file.to_owned()),
            log_level: Some(Level::Debug),
        });
        Log::open(wanted.expect("asked for").expect("a log")).expect("opened")
    }

    fn document(dir: &Path) -> serde_json::Value {
        let text = std::fs::read(dir.join("run.json")).expect("written");
        serde_json::from_slice(&text).expect("JSON")
    }

    fn recording(dir: &Path) -> Recording {
        let path = dir.join("record.json");
        let wanted = Wanted {
            path: &path,
            previous: None,
            options: crate::record::Options::default(),
            reviewed: None,
        };
        record::begin(wanted).expect("a new file")
    }

    #[test]
    fn what_happens_reaches_the_document_and_the_log_and_the_first_error_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let reporter = to_json(dir.path());
        let file = dir.path().join("run.log");
        reporter.log(to_log(&file), "plan");
        reporter.warn("careful");
        reporter.emit(Event::Undone {
            message: "left out",
            help: &["this".to_owned()],
        });
        let failure = Failure::usage("two plans").help("name one");
        assert_eq!(reporter.finish(Err(failure)), Exit::Usage);
        let told = document(dir.path());
        assert_eq!(told["warnings"], serde_json::json!(["careful"]));
        let error = serde_json::json!({"message": "left out", "help": ["this"]});
        assert_eq!(told["error"], error);
        assert_eq!(told["exit_code"], 64);
        let log = std::fs::read_to_string(file).expect("written");
        let names = log.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["event"].as_str().expect("a name").to_owned()
        });
        let expected = ["began", "warning", "undone", "failed", "ended"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn last_words_are_said_once_and_the_second_gets_the_code_of_the_first() {
        for (first, second) in [
            (Ok(Exit::Done), Exit::Error),
            (Ok(Exit::Pending), Exit::Done),
            (Err(Failure::error("x")), Exit::Done),
        ] {
            let dir = tempfile::tempdir().expect("a folder");
            let reporter = to_json(dir.path());
            assert_eq!(reporter.ending(), None);
            let code = reporter.finish(first);
            assert_eq!(reporter.ending(), Some(code));
            assert_eq!(reporter.clone().finish(Ok(second)), code);
            assert_eq!(document(dir.path())["exit_code"], code.code());
        }
    }

    #[test]
    fn what_goes_wrong_while_the_record_is_written_waits_for_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        let reporter = to_json(dir.path());
        // The first line that it does not take is one that is told while the record is locked.
        let _ = reporter.0.log.set(to_log(Path::new("/dev/full")));
        reporter.keep(recording(dir.path()));
        let (done, waits) = mpsc::channel();
        let run = reporter.clone();
        std::thread::spawn(move || done.send(run.finish_record(Exit::Done)));
        let ended = waits.recv_timeout(Duration::from_secs(20));
        assert_eq!(ended, Ok(Exit::Done), "it ends");
        assert_eq!(reporter.seen_to_be(Exit::Done), Exit::Error);
        assert_eq!(reporter.seen_to_be(Exit::Stale), Exit::Stale);
    }

    #[test]
    fn a_run_whose_result_nobody_saw_is_no_success_and_hides_no_write() {
        for exit in Exit::ALL {
            assert_eq!(unseen(exit, true), Exit::Partial);
            let not_seen = unseen(exit, false);
            assert_ne!(not_seen, Exit::Done);
            assert!(not_seen == exit || not_seen == Exit::Error, "{exit:?}");
        }
        for result in [Exit::Done, Exit::Pending, Exit::Unmanaged] {
            assert_eq!(unseen(result, false), Exit::Error);
        }
        for reason in [
            Exit::Error,
            Exit::Refused,
            Exit::Stale,
            Exit::Partial,
            Exit::Usage,
            Exit::Interrupted,
        ] {
            assert_eq!(unseen(reason, false), reason);
        }
    }
}
