//! Lists that stay calm: a row keeps its place as long as it lives, new ones come last, and a row that did not change
//! is not touched.

use std::collections::{HashMap, HashSet};

/// The order in which to show `now`, after `before` was shown: what was there keeps its order, what is new follows in
/// the order it came, and what is said twice is shown once.
pub fn order<'a>(before: impl IntoIterator<Item = &'a str>, now: &[&'a str]) -> Vec<&'a str> {
    let present: HashSet<&str> = now.iter().copied().collect();
    let mut placed = HashSet::with_capacity(present.len());
    before
        .into_iter()
        .filter(|key| present.contains(key))
        .chain(now.iter().copied())
        .filter(|key| placed.insert(*key))
        .collect()
}

/// A row: what it is known by, and a handle that a view holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<H> {
    /// What it is known by.
    pub key: String,
    /// What a view follows.
    pub handle: H,
}

/// Brings a list up to date. `make` makes the handle of a new row, `update` hands a known one what is now said.
/// Returns the new list when rows came or went, and none when all are where they were.
pub fn merge<V, H: Clone>(
    before: &[Row<H>],
    now: Vec<(String, V)>,
    make: impl Fn(V) -> H,
    update: impl Fn(&H, V),
) -> Option<Vec<Row<H>>> {
    let keys: Vec<&str> = now.iter().map(|(key, _)| key.as_str()).collect();
    let order: Vec<String> = order(before.iter().map(|row| row.key.as_str()), &keys)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let same = order.iter().eq(before.iter().map(|row| &row.key));

    let known: HashMap<&str, &H> = before
        .iter()
        .map(|row| (row.key.as_str(), &row.handle))
        .collect();
    let mut handles: HashMap<String, H> = HashMap::with_capacity(now.len());
    for (key, view) in now {
        if handles.contains_key(&key) {
            continue;
        }
        let handle = match known.get(key.as_str()) {
            Some(handle) => {
                update(handle, view);
                (*handle).clone()
            }
            None => make(view),
        };
        handles.insert(key, handle);
    }
    if same {
        return None;
    }
    Some(
        order
            .into_iter()
            .filter_map(|key| {
                let handle = handles.remove(&key)?;
                Some(Row { key, handle })
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_keep_their_place() {
        assert_eq!(order(["a", "b", "c"], &["d", "c", "a"]), ["a", "c", "d"]);
        assert_eq!(order([], &["b", "a", "b"]), ["b", "a"]);
        assert_eq!(order(["a"], &[]), Vec::<&str>::new());
    }

    fn merged(
        before: &[Row<Rc<Cell<u32>>>],
        now: &[(&str, u32)],
    ) -> Option<Vec<Row<Rc<Cell<u32>>>>> {
        merge(
            before,
            now.iter()
                .map(|(key, view)| ((*key).to_owned(), *view))
                .collect(),
            |view| Rc::new(Cell::new(view)),
            |handle, view| handle.set(view),
        )
    }

    #[test]
    fn a_list_that_stays_is_updated_in_place() {
        let list = merged(&[], &[("a", 1), ("b", 2)]).unwrap();
        // The host's order does not matter for rows that are there.
        assert_eq!(merged(&list, &[("b", 20), ("a", 10)]), None);
        assert_eq!(list[0].handle.get(), 10);
        assert_eq!(list[1].handle.get(), 20);
        let shorter = merged(&list, &[("b", 21), ("c", 3)]).unwrap();
        assert!(Rc::ptr_eq(&shorter[0].handle, &list[1].handle));
        assert_eq!(shorter[1].key, "c");
    }

    proptest! {
        #[test]
        fn every_key_is_shown_once_and_survivors_keep_their_order(
            before in proptest::collection::hash_set("[a-f]", 0..6),
            now in proptest::collection::vec("[a-f]", 0..12),
        ) {
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            let now: Vec<&str> = now.iter().map(String::as_str).collect();
            let shown = order(before.iter().copied(), &now);
            let distinct: HashSet<&str> = now.iter().copied().collect();
            prop_assert_eq!(shown.len(), distinct.len());
            prop_assert!(shown.iter().all(|key| distinct.contains(key)));
            let survivors: Vec<&str> = before.iter().copied().filter(|key| distinct.contains(key)).collect();
            prop_assert_eq!(&shown[..survivors.len()], &survivors[..]);
        }
    }
}
