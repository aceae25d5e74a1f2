//! Which comment on a request is ours, so that it is written anew and not once more.
//! Pure. A comment is ours by its author and by a mark at its very beginning: each alone is anybody's.

use super::facts::Comment;
use super::names::Commit;

const BEGIN: &str = "<!-- rolecall:comment ";
const END: &str = " -->\n";

/// A text as a comment: with the mark before it. `key` is what it is about.
pub fn marked(key: &str, head: &Commit, text: &str) -> String {
    format!("{BEGIN}key={key} head={head}{END}{text}")
}

/// The same for one that does not hold any more.
pub fn outdated(key: &str, head: &str, text: &str) -> String {
    format!("{BEGIN}key={key} head={head} outdated{END}{text}")
}

/// Comments with the mark of what is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted<'a> {
    /// The one that holds: the newest of ours, those for the head before others.
    pub current: Option<&'a Comment>,
    /// Ours besides, that do not say yet that they are outdated, each with the head that it names.
    pub spare: Vec<(&'a Comment, &'a str)>,
    /// What other programs wrote: a former identity of ours, perhaps.
    pub others: Vec<&'a Comment>,
}

/// Sorts the comments of a request, in whatever order they come. `me` is the login of who asks.
pub fn sort<'a>(comments: &'a [Comment], me: &str, key: &str, head: &Commit) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut own: Vec<(&Comment, &str)> = Vec::new();
    for comment in comments {
        let Some(mark) = Mark::of(&comment.body).filter(|mark| mark.key == key) else {
            continue;
        };
        match &comment.by {
            Some(by) if by.is(me) && mark.outdated => {}
            Some(by) if by.is(me) => own.push((comment, mark.head)),
            Some(by) if !by.human => sorted.others.push(comment),
            _ => {}
        }
    }
    own.sort_by_key(|(comment, of)| std::cmp::Reverse((*of == head.as_str(), comment.id)));
    let mut own = own.into_iter();
    sorted.current = own.next().map(|(comment, _)| comment);
    sorted.spare = own.collect();
    sorted
}

struct Mark<'a> {
    key: &'a str,
    head: &'a str,
    outdated: bool,
}

impl<'a> Mark<'a> {
    fn of(body: &'a str) -> Option<Self> {
        let rest = body.strip_prefix(BEGIN)?;
        // A host may give line ends as it likes.
        let (inside, _) = rest.split_once(" -->")?;
        let mut words = inside.split(' ');
        let key = words.next()?.strip_prefix("key=")?;
        let head = words.next()?.strip_prefix("head=")?;
        let outdated = match words.next() {
            None => false,
            Some("outdated") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self {
            key,
            head,
            outdated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Person;
    use super::super::verdict::tests::commit;
    use super::*;

    const ME: &str = "Access-Bot[bot]";

    fn comment(id: u64, by: &str, body: String) -> Comment {
        Comment {
            id,
            by: Some(Person {
                login: by.to_owned(),
                human: !by.ends_with("[bot]"),
            }),
            body,
            url: format!("https://host/{id}"),
        }
    }

    fn ids(sorted: &Sorted<'_>) -> (Option<u64>, Vec<u64>, Vec<u64>) {
        let of = |all: &[&Comment]| all.iter().map(|one| one.id).collect();
        let spare: Vec<u64> = sorted.spare.iter().map(|(one, _)| one.id).collect();
        (sorted.current.map(|one| one.id), spare, of(&sorted.others))
    }

    #[test]
    fn a_comment_is_ours_by_author_and_mark_and_by_neither_alone() {
        let good = marked("k1", &commit('a'), "text");
        let all = [
            comment(1, "ada", good.clone()),
            comment(2, "github-actions[bot]", good.clone()),
            comment(3, "access-bot[BOT]", good.clone()),
            comment(4, ME, format!("> {good}")),
            comment(5, ME, marked("k2", &commit('a'), "text")),
            comment(6, ME, outdated("k1", "x", "text")),
            comment(7, ME, good.replace(" -->", " more -->")),
        ];
        let mut nobody = comment(8, ME, good);
        nobody.by = None;
        let all = [all.to_vec(), vec![nobody]].concat();
        let sorted = sort(&all, ME, "k1", &commit('a'));
        assert_eq!(ids(&sorted), (Some(3), Vec::new(), vec![2]));
    }

    #[test]
    fn of_several_the_newest_of_the_head_stays() {
        let of = |id, digit| comment(id, ME, marked("k1", &commit(digit), "text"));
        let all = [of(4, 'b'), of(9, 'b'), of(7, 'a'), of(2, 'a')];
        let sorted = sort(&all, ME, "k1", &commit('a'));
        assert_eq!(ids(&sorted), (Some(7), vec![2, 9, 4], Vec::new()));
        assert_eq!(sorted.spare[1].1, commit('b').as_str());
        let sorted = sort(&all, ME, "k1", &commit('e'));
        assert_eq!(sorted.current.map(|one| one.id), Some(9));
    }

    #[test]
    fn a_mark_stays_one_when_the_host_changes_line_ends() {
        let text = marked("k1", &commit('a'), "text").replace('\n', "\r\n");
        let all = [comment(1, ME, text)];
        assert!(sort(&all, ME, "k1", &commit('a')).current.is_some());
    }
}
