//! External commands: each has a time limit, and a failure says which command it was and what to do.

mod tree;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use anyhow::{Result, anyhow};

use crate::progress;

/// A cold build of everything on two slow cores is a quarter of an hour; this is hung.
pub const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
/// Downloads of packages.
pub const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Asking a tool for its version or its paths.
pub const QUERY_LIMIT: Duration = Duration::from_secs(30);

/// How often a silent command is said to be running still.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(50);
/// A grandchild that lives on may keep the output open; nobody waits for it longer than this.
const DRAIN: Duration = Duration::from_secs(2);
/// Lines of a silent command's output that its failure shows.
const TAIL: usize = 60;

/// A command to run.
pub struct Process {
    command: Command,
    limit: Duration,
    hint: Option<String>,
}

/// How a command ended, and what it printed.
pub struct Finished {
    /// It ended by itself, with exit code 0.
    pub success: bool,
    /// Standard output, then and among it standard error, in the order they came.
    pub output: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Nothing,
    OnStdout,
}

impl Process {
    /// A program by path, or by a name to be found in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self {
            command,
            limit: BUILD_LIMIT,
            hint: None,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub fn env_remove(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// After this long the command and its children are ended.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What a person does when it fails.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Runs it with all its output on stderr, as it comes.
    pub fn run(mut self) -> Result<()> {
        self.command
            .stdout(Stdio::from(io::stderr()))
            .stderr(Stdio::inherit());
        let status = self.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(self.failed(status))
        }
    }

    /// Runs it with this program's own stdout and stderr; was it content?
    pub fn pass_through(mut self) -> Result<bool> {
        self.command
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        Ok(self.wait()?.success())
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let mut child = self.spawn()?;
        let deadline = self.deadline();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                tree::end(&mut child);
                return Err(self.too_long());
            }
            thread::sleep(POLL);
        }
    }

    /// Runs it silently, and answers its output; an error shows the end of that output.
    pub fn read(self) -> Result<String> {
        let (description, hint) = (self.description(), self.hint.clone());
        let finished = self.collect(Show::Nothing)?;
        if finished.success {
            return Ok(finished.output);
        }
        let lines: Vec<_> = finished.output.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(TAIL)..)
            .unwrap_or_default();
        let mut text = vec![format!("failed: {description}")];
        text.extend(tail.iter().map(|line| format!("    {line}")));
        text.extend(hint);
        Err(anyhow!(text.join("\n")))
    }

    /// Runs it with its output on stdout as it comes, and answers that output too, also when it fails.
    pub fn tee(self) -> Result<Finished> {
        self.collect(Show::OnStdout)
    }

    fn collect(mut self, show: Show) -> Result<Finished> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn()?;
        let lines = read_lines(&mut child);
        let started = Instant::now();
        let deadline = self.deadline();
        let mut last_sign = started;
        let mut exited: Option<(ExitStatus, Instant)> = None;
        let mut output = String::new();
        let mut open = true;
        loop {
            let mut idle = true;
            if open {
                match lines.recv_timeout(POLL) {
                    Ok(line) => {
                        idle = false;
                        if show == Show::OnStdout {
                            println!("{line}");
                            last_sign = Instant::now();
                        }
                        output.push_str(&line);
                        output.push('\n');
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => open = false,
                }
            } else {
                thread::sleep(POLL);
            }
            if exited.is_none() {
                exited = child.try_wait()?.map(|status| (status, Instant::now()));
            }
            if let Some((status, at)) = exited {
                if !open || (idle && at.elapsed() >= DRAIN) {
                    return Ok(Finished {
                        success: status.success(),
                        output,
                    });
                }
            } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                tree::end(&mut child);
                return Err(self.too_long());
            } else if last_sign.elapsed() >= HEARTBEAT {
                last_sign = Instant::now();
                progress::note(&format!(
                    "{} is running ({})",
                    self.name(),
                    progress::duration(started.elapsed())
                ));
            }
        }
    }

    fn spawn(&mut self) -> Result<Child> {
        self.command.spawn().map_err(|error| {
            let hint = self
                .hint
                .as_deref()
                .map(|hint| format!("\n{hint}"))
                .unwrap_or_default();
            anyhow!("cannot start {}: {error}{hint}", self.description())
        })
    }

    /// None: so far ahead that it is no limit.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.limit)
    }

    fn name(&self) -> String {
        Path::new(self.command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    fn description(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn too_long(&self) -> anyhow::Error {
        self.explained(format!(
            "took longer than {}: {}",
            progress::duration(self.limit),
            self.description()
        ))
    }

    fn failed(&self, status: ExitStatus) -> anyhow::Error {
        self.explained(format!("failed ({status}): {}", self.description()))
    }

    fn explained(&self, mut text: String) -> anyhow::Error {
        if let Some(hint) = &self.hint {
            text.push('\n');
            text.push_str(hint);
        }
        anyhow!(text)
    }
}

fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(out) = child.stdout.take() {
        forward(out, sender.clone());
    }
    if let Some(err) = child.stderr.take() {
        forward(err, sender);
    }
    receiver
}

fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match from.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    if to
                        .send(text.trim_end_matches(['\r', '\n']).to_owned())
                        .is_err()
                    {
                        return;
                    }
                }
            }
        }
    });
}

/// The program of that name in `PATH`, with the endings that Windows adds.
pub fn which(name: &str) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) {
        &[".exe", ".cmd", ""]
    } else {
        &[""]
    };
    env::split_paths(&env::var_os("PATH")?)
        .flat_map(|dir| {
            endings
                .iter()
                .map(move |ending| dir.join(format!("{name}{ending}")))
        })
        .find(|path| path.is_file())
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn output_of_both_kinds_is_collected() {
        assert_eq!(
            Process::new("sh")
                .args(["-c", "echo out; echo err >&2"])
                .read()
                .unwrap()
                .lines()
                .count(),
            2
        );
    }

    #[test]
    fn a_failure_names_the_command_shows_its_output_and_says_what_to_do() {
        let error = Process::new("sh")
            .args(["-c", "echo no such thing; exit 3"])
            .hint("get one")
            .read()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("sh -c") && text.contains("no such thing") && text.contains("get one"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Process::new("no-such-program-here").run().unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
    }

    #[test]
    fn a_hung_command_is_ended_with_its_children() {
        let start = Instant::now();
        let error = Process::new("sh")
            .args(["-c", "sleep 60 & wait"])
            .limit(Duration::from_millis(200))
            .read()
            .unwrap_err();
        assert!(error.to_string().contains("took longer"));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_grandchild_that_holds_the_output_open_holds_nobody_up() {
        let start = Instant::now();
        let output = Process::new("sh")
            .args(["-c", "sleep 20 & echo done"])
            .read()
            .unwrap();
        assert_eq!(output, "done\n");
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}
