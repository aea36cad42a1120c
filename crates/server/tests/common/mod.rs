//! The real binary, with everything it prints.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Generous, for a machine that is doing much else; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mooring-server"));
    // Nothing of the one who runs the tests is read, and nothing of theirs is written.
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a server that should not start, and checks how it says so.
///
/// It must end with code 2 and one line, and leave `folder` as it was. Returns the line.
pub fn refusal(folder: &Path, args: &[&str]) -> String {
    let before = snapshot(folder);
    let mut child = command(folder).args(args).spawn().unwrap();
    let status = wait(&mut child);
    let mut stdout = String::new();
    let mut stderr = String::new();
    child.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{args:?}: {stderr}");
    assert_eq!(stdout, "", "{args:?}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(stderr.starts_with("mooring-server: "), "{args:?}: {stderr}");
    assert!(stderr.len() < 600, "{args:?}: {stderr}");
    assert_eq!(snapshot(folder), before, "{args:?}");
    stderr.trim_end().to_owned()
}

/// Every file below a folder with its content; folders have none.
pub fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(snapshot(&path));
            found.insert(path, None);
        } else {
            let content = std::fs::read(&path).ok();
            found.insert(path, content);
        }
    }
    found
}

fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the server did not end");
        }
        // Waiting for a process with a time limit has no other way in std.
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lines as they come.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<Output>, Condvar)>);

#[derive(Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn follow(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let writer = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                writer.0.0.lock().unwrap().lines.push(line);
                writer.0.1.notify_all();
            }
            writer.0.0.lock().unwrap().ended = true;
            writer.0.1.notify_all();
        });
        lines
    }

    pub fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// Waits until the lines so far give an answer.
    pub fn until<T>(&self, mut answer: impl FnMut(&[String]) -> Option<T>) -> T {
        let start = Instant::now();
        let mut guard = self.0.0.lock().unwrap();
        loop {
            if let Some(found) = answer(&guard.lines) {
                return found;
            }
            assert!(!guard.ended, "the output ended: {:#?}", guard.lines);
            assert!(start.elapsed() < PATIENCE, "in vain: {:#?}", guard.lines);
            guard = self
                .0
                .1
                .wait_timeout(guard, Duration::from_secs(1))
                .unwrap()
                .0;
        }
    }

    /// Waits for the end of the output.
    fn end(&self) -> Vec<String> {
        let mut guard = self.0.0.lock().unwrap();
        while !guard.ended {
            guard = self.0.1.wait(guard).unwrap();
        }
        guard.lines.clone()
    }
}

/// A server that should run; killed at the end of the test.
pub struct Running {
    child: Child,
    pub stdout: Lines,
    pub stderr: Lines,
}

impl Running {
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = command(folder).args(args).spawn().unwrap();
        Self {
            stdout: Lines::follow(child.stdout.take().unwrap()),
            stderr: Lines::follow(child.stderr.take().unwrap()),
            child,
        }
    }

    /// The addresses it prints, sorted, once there are so many.
    pub fn addresses(&self, count: usize) -> Vec<String> {
        let stderr = self.stderr.clone();
        self.stdout.until(|lines| {
            let mut lines = lines.to_vec();
            lines.sort();
            assert!(lines.len() <= count, "{lines:?} {:?}", stderr.all());
            (lines.len() == count).then_some(lines)
        })
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end: exit code, all of stdout, all of stderr.
    pub fn end(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let status = wait(&mut self.child);
        (status.code(), self.stdout.end(), self.stderr.end())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of `/name/value` in an address.
pub fn part(address: &str, name: &str) -> String {
    let mut parts = address.split('/');
    parts.find(|part| *part == name).unwrap();
    parts.next().unwrap().to_owned()
}
