//! Ends a process with everything that it started.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a process gets for tidying up between being asked and being ended.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Asks the process to end, then ends it and whatever it left behind.
pub fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let descendants = descendants(child.id());
    if cfg!(windows) {
        quietly("taskkill", &["/T", "/F", "/PID", &child.id().to_string()]);
    } else {
        signal("-TERM", &[child.id()]);
    }
    let asked = Instant::now();
    while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(POLL);
    }
    // What is gone already is no error.
    let _ = child.kill();
    let _ = child.wait();
    signal("-KILL", &descendants);
}

fn signal(name: &str, pids: &[u32]) {
    if cfg!(unix) && !pids.is_empty() {
        let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
        let mut arguments = vec![name];
        arguments.extend(pids.iter().map(String::as_str));
        quietly("kill", &arguments);
    }
}

fn quietly(program: &str, arguments: &[&str]) {
    let _ = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Children, their children, and so on, as far as /proc tells (elsewhere: none).
fn descendants(root: u32) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|stat| pid_and_parent(&stat))
        .collect();
    below(root, &pairs)
}

fn below(root: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            pairs
                .iter()
                .filter(|&&(pid, of)| of == parent && pid != root)
                .map(|&(pid, _)| pid),
        );
        next += 1;
    }
    found.remove(0);
    found
}

/// proc_pid_stat(5): `pid (name) state ppid …`; the name may hold spaces and brackets.
fn pid_and_parent(stat: &str) -> Option<(u32, u32)> {
    let (pid, rest) = stat.split_once(' ')?;
    let (_, after_name) = rest.rsplit_once(") ")?;
    Some((
        pid.parse().ok()?,
        after_name.split(' ').nth(1)?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        assert_eq!(pid_and_parent("42 (a) b (c) S 7 42 42 0"), Some((42, 7)));
        assert_eq!(pid_and_parent("nonsense"), None);
    }

    #[test]
    fn descendants_of_any_depth_are_found_and_nobody_else() {
        let pairs = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 9)];
        assert_eq!(below(2, &pairs), [3, 4]);
        assert_eq!(below(6, &pairs), Vec::<u32>::new());
    }
}
