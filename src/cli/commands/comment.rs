//! `rolecall comment`: one comment a stack and directory on a pull request, written anew and not once more.

use std::fs;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::host::{append, commit, failed, hand_on, host};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{HostArgs, OutputArgs, stack};
use crate::cli::outputs::Files;
use crate::cli::paths::tilde;
use crate::cli::reporter::Reporter;
use crate::cli::reviewed;
use crate::echo;
use crate::forge::github::Github;
use crate::forge::{ForgeError, ForgeErrorKind};
use crate::model::StackId;
use crate::plan::Plan;
use crate::review::{
    Comment, Commit, Digest, Heading, Request, comment_key, heading, marked, outdated, plain, sort,
};
use crate::view::summary;

/// The longest text of a comment that always fits, in characters. Source:
/// github.com/telia-oss/github-pr-resource/issues/259.
const LONGEST: usize = 65_536;
/// What is kept free for the mark and for what is said of a text that is cut.
const SPARE: usize = 600;

/// `rolecall comment`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The comment is known again by its author and by a mark at its beginning, so that a \
person's comment is never touched. In a public repository it holds the counts and the digest alone, unless \
--public is given.\n\nExamples:\n  rolecall comment --plan plan.json --number 7 --head \"$HEAD\" --directory access\n  \
rolecall comment --outdated moved --stack acme/k7m2q9ta --number 7 --directory access"
)]
pub struct CommentArgs {
    /// The plan, as `plan --out` wrote it
    #[arg(long, value_name = "FILE", required_unless_present = "outdated")]
    pub plan: Option<PathBuf>,

    /// The plan as Markdown, which is put below the heading
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub markdown: Option<PathBuf>,

    /// Say instead that the comment does not hold any more, and why
    #[arg(long, value_name = "WHY", conflicts_with = "plan", requires = "stack")]
    pub outdated: Option<String>,

    /// The stack, NAME/ID, where no plan says it
    #[arg(long, value_name = "STACK", value_parser = stack, conflicts_with = "plan")]
    pub stack: Option<StackId>,

    /// The pull request
    #[arg(long, value_name = "NUMBER")]
    pub number: u64,

    /// The commit that was planned
    #[arg(long, value_name = "COMMIT", required_unless_present = "outdated")]
    pub head: Option<String>,

    /// The configuration's directory, as `rolecall configurations` names it
    #[arg(long, value_name = "DIR")]
    pub directory: String,

    /// Append the text to a file too: "$GITHUB_STEP_SUMMARY". Then a token that may not comment is no error
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,

    /// Write the whole text in a public repository too
    #[arg(long)]
    pub public: bool,

    /// The code host.
    #[command(flatten)]
    pub host: HostArgs,

    /// What the next steps are told.
    #[command(flatten)]
    pub outputs: OutputArgs,
}

impl Invocation for CommentArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .writes("--outputs", self.outputs.outputs.as_ref())
            .writes("--summary", self.summary.as_ref())
            .reads("--plan", self.plan.as_ref())
            .reads("--markdown", self.markdown.as_ref())
            .reads("--ca-file", self.host.ca_file.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

/// What is to stand in the comment.
enum Wanted {
    /// A plan.
    Text(String),
    /// That the former one does not hold.
    Outdated(String),
}

/// One comment, of one stack and directory.
struct Sticky<'a> {
    host: &'a Github,
    number: u64,
    head: &'a Commit,
    key: String,
    me: String,
}

async fn run(args: CommentArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let head = args.head.as_deref().map(|text| commit(text, "--head"));
    let head = head.transpose()?;
    let plan = args.plan.as_deref().map(reviewed::read).transpose()?;
    let stack = match (&plan, &args.stack) {
        (Some(plan), _) => plan.stack.clone(),
        (None, Some(stack)) => stack.clone(),
        (None, None) => return Err(Failure::usage("nobody says which stack it is about")),
    };
    let host = host(&args.host, reporter)?;
    let repository = host.repository().await.map_err(failed)?;
    let wanted = match (&plan, &args.outdated) {
        (Some(plan), _) => {
            let head = head
                .as_ref()
                .ok_or_else(|| Failure::usage("nobody says which commit was planned (--head)"))?;
            Wanted::Text(text(&args, plan, head, repository.public)?)
        }
        (None, why) => Wanted::Outdated(why.clone().unwrap_or_default()),
    };
    if let (Some(path), Wanted::Text(text)) = (&args.summary, &wanted) {
        append(path, "--summary", &format!("{text}\n"))?;
    }
    let request = host.request(args.number).await.map_err(failed)?;
    // What is said of a comment that does not hold any more is of no commit.
    let head = head.unwrap_or_else(|| request.head.clone());
    if matches!(wanted, Wanted::Text(_)) && request.open && request.head != head {
        reporter.result(&format!(
            "Pull request {} is at {} by now, so that its comment is left to the run of that.\n",
            args.number,
            request.head.short()
        ));
        return Ok(Exit::Done);
    }
    let written = async {
        let sticky = Sticky {
            key: comment_key(&stack, &args.directory),
            me: host.me().await?,
            host: &host,
            number: args.number,
            head: &head,
        };
        match &wanted {
            Wanted::Text(text) => sticky.write(text).await.map(Some),
            Wanted::Outdated(why) => sticky.outdate(why).await,
        }
    };
    match written.await {
        Ok(Some(comment)) => {
            hand_on(&args.outputs, &[("comment", comment.url.clone())])?;
            reporter.result(&format!("Comment: {}\n", plain_url(&comment.url)));
            Ok(Exit::Done)
        }
        Ok(None) => {
            reporter.result("There is no comment of this stack that could be outdated.\n");
            Ok(Exit::Done)
        }
        Err(error) => not_written(error, &request, args.summary.is_some(), reporter),
    }
}

/// Ends a run whose comment the host does not take.
fn not_written(
    error: ForgeError,
    request: &Request,
    summary: bool,
    reporter: &Reporter,
) -> Result<Exit, Failure> {
    let permission = error.kind == ForgeErrorKind::Permission;
    if !permission || !summary {
        return Err(failed(error));
    }
    match request.from_fork() {
        true => reporter.warn(
            "the pull request comes from a fork, and the token of its run may not comment; the text is in \
             the summary alone",
        ),
        false => {
            let help: Vec<String> = error.help.into_iter().collect();
            let message = format!("{}; the text is in the summary alone", error.message);
            reporter.warn_with(&message, &help);
        }
    }
    Ok(Exit::Done)
}

impl Sticky<'_> {
    /// Writes the comment, and sees that no other of ours says something else.
    async fn write(&self, text: &str) -> Result<Comment, ForgeError> {
        let all = self.host.comments(self.number).await?;
        let sorted = sort(&all, &self.me, &self.key, self.head);
        let mut text = text.to_owned();
        for other in &sorted.others {
            let by = other.by.as_ref().map_or("", |by| by.login.as_str());
            text.push_str(&format!(
                "\nEarlier, by `{}`: {}\n",
                plain(by),
                plain_url(&other.url)
            ));
        }
        let body = marked(&self.key, self.head, &text);
        let edited = match sorted.current {
            Some(current) => match self.host.edit(current.id, &body).await {
                Ok(comment) => Some(comment),
                // Somebody deleted it meanwhile.
                Err(error) if is_gone(&error) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let mut written = match edited {
            Some(comment) => comment,
            None => self.host.post(self.number, &body).await?,
        };
        // Another run may have written at the same time: what stands now decides.
        let all = self.host.comments(self.number).await?;
        let now = self.host.request(self.number).await?;
        let sorted = sort(&all, &self.me, &self.key, &now.head);
        if let Some(current) = sorted.current {
            for (spare, head) in &sorted.spare {
                let why = format!("The newer one is {}.", plain_url(&current.url));
                self.void(spare.id, head, &why).await?;
            }
            written = current.clone();
        }
        if now.open && now.head != *self.head && written.body == body {
            let why = format!("The branch is at `{}` by now.", now.head.short());
            self.void(written.id, self.head.as_str(), &why).await?;
        }
        Ok(written)
    }

    /// Says that the comment does not hold any more.
    async fn outdate(&self, why: &str) -> Result<Option<Comment>, ForgeError> {
        let all = self.host.comments(self.number).await?;
        let sorted = sort(&all, &self.me, &self.key, self.head);
        let Some(current) = sorted.current else {
            return Ok(None);
        };
        let why = format!("{}.", plain(why));
        self.void(current.id, self.head.as_str(), &why).await?;
        for (spare, head) in &sorted.spare {
            self.void(spare.id, head, &why).await?;
        }
        Ok(Some(current.clone()))
    }

    async fn void(&self, id: u64, head: &str, why: &str) -> Result<(), ForgeError> {
        let text = format!("**Outdated**, of `{}`. {why}\n", plain(head));
        match self.host.edit(id, &outdated(&self.key, head, &text)).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_gone(error: &ForgeError) -> bool {
    matches!(error.kind, ForgeErrorKind::NotFound | ForgeErrorKind::Gone)
}

/// A page of the code host's own, as it gave it: one word.
fn plain_url(url: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#=&%".contains(c);
    url.chars().filter(|c| good(*c)).take(300).collect()
}

/// The whole text: the heading, and the Markdown of the plan where that may be shown.
fn text(args: &CommentArgs, plan: &Plan, head: &Commit, public: bool) -> Result<String, Failure> {
    let digest = Digest::parse(plan.digest())
        .ok_or_else(|| Failure::error("the plan's digest is none of 64 digits"))?;
    let counts = summary(plan, false);
    let mut text = heading(&Heading {
        stack: &plan.stack,
        directory: &args.directory,
        head,
        digest: &digest,
        counts: &counts,
    });
    match &args.markdown {
        Some(_) if public && !args.public => {
            text.push_str("\nThe repository is public: the plan itself is in no comment.\n");
        }
        Some(path) => {
            let whole = fs::read_to_string(path).map_err(|error| {
                let shown = echo::path(path).given("--markdown");
                Failure::error(format!("cannot read {shown}: {error}")).helps(tilde(path))
            })?;
            text.push('\n');
            let room = LONGEST - SPARE - text.chars().count();
            text.push_str(&fitting(&whole, room));
        }
        None => {}
    }
    Ok(text)
}

/// As many whole lines as there is room for, in characters; what is cut is counted.
fn fitting(whole: &str, room: usize) -> String {
    if whole.chars().count() <= room {
        return whole.to_owned();
    }
    let lines: Vec<&str> = whole.lines().collect();
    let (mut kept, mut used) = (0, 0);
    for line in &lines {
        used += line.chars().count() + 1;
        if used > room {
            break;
        }
        kept += 1;
    }
    let mut out = lines[..kept].join("\n");
    out.push_str(&format!(
        "\n\n**Shortened**: {kept} of {} lines are shown; the run has the whole.\n",
        lines.len()
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::markdown::COMMENT;

    #[test]
    fn a_text_that_does_not_fit_is_cut_at_a_line_and_says_so() {
        let whole: String = (0..100).map(|n| format!("line {n} \u{1f511}\n")).collect();
        assert_eq!(fitting(&whole, 5000), whole);
        let cut = fitting(&whole, 100);
        assert!(
            cut.starts_with("line 0 \u{1f511}\nline 1 \u{1f511}\n"),
            "{cut}"
        );
        let kept = cut.lines().filter(|line| line.starts_with("line ")).count();
        assert!(cut.contains(&format!("{kept} of 100 lines")), "{cut}");
        assert!(kept * 8 <= 100 && kept >= 9, "{kept}");
        // A line that is longer than all the room is not shown in half.
        let cut = fitting(&"x".repeat(200), 100);
        assert!(cut.contains("0 of 1 lines") && !cut.contains("xx"), "{cut}");
    }

    #[test]
    fn what_a_plan_writes_for_a_comment_is_never_cut_by_its_heading() {
        let text = heading(&Heading {
            stack: &StackId::new(&"s".repeat(32), "k7m2q9ta").expect("valid"),
            directory: &"d".repeat(300),
            head: &Commit::parse(&"a".repeat(64)).expect("a commit"),
            digest: &Digest::parse(&"d".repeat(64)).expect("a digest"),
            counts: &"1 to update permissions, ".repeat(11),
        });
        assert!(text.chars().count() + COMMENT <= LONGEST - SPARE);
    }

    #[test]
    fn a_page_is_one_word() {
        assert_eq!(
            plain_url("https://github.com/acme/access/pull/7#issuecomment-9"),
            "https://github.com/acme/access/pull/7#issuecomment-9"
        );
        assert_eq!(plain_url("https://x/ [y](z)\n@all"), "https://x/yzall");
    }
}
