use std::fs;
use std::sync::Barrier;

use super::*;

const NOW: u64 = 1_795_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

fn site() -> SiteName {
    SiteName::new("hq").unwrap()
}

fn make(book: &TokenBook, name: &str) -> [u8; SECRET_BYTES] {
    let authority = Fingerprint([1; 32]);
    let token = book.make(&agent(name), &site(), authority, HOUR, NOW);
    token.unwrap().secret
}

fn redeem(
    book: &TokenBook,
    secret: &[u8; SECRET_BYTES],
    key: u8,
    now: u64,
) -> Result<Redemption, RedeemError<&'static str>> {
    book.redeem(secret, &[key; KEY_BYTES], now, |_, _| Ok(()))
}

#[test]
fn a_token_is_for_one_key_and_that_may_ask_again() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    let secret = make(&book, "ap-1");
    let first = redeem(&book, &secret, 1, NOW).unwrap();
    assert_eq!((first.agent, first.again), (agent("ap-1"), false));
    assert!(redeem(&book, &secret, 1, NOW + 60).unwrap().again);
    assert!(matches!(
        redeem(&book, &secret, 2, NOW + 60),
        Err(RedeemError::Used { .. })
    ));
    assert!(matches!(
        redeem(&book, &secret, 1, NOW + 3_601),
        Err(RedeemError::Expired { .. })
    ));
}

#[test]
fn a_mark_outlives_a_node_that_dies_before_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let secret = make(&TokenBook::beside(dir.path()), "ap-1");
    redeem(&TokenBook::beside(dir.path()), &secret, 1, NOW).unwrap();
    // Nothing was signed; another process begins with what is on the disk.
    let after = TokenBook::beside(dir.path());
    assert!(matches!(
        redeem(&after, &secret, 2, NOW),
        Err(RedeemError::Used { .. })
    ));
    assert!(redeem(&after, &secret, 1, NOW).unwrap().again);
}

#[test]
fn of_many_keys_at_once_one_wins() {
    const KEYS: u8 = 24;
    let dir = tempfile::tempdir().unwrap();
    let secret = make(&TokenBook::beside(dir.path()), "ap-1");
    let start = Barrier::new(KEYS.into());
    let winners = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..KEYS)
            .map(|key| {
                let (start, dir) = (&start, dir.path());
                scope.spawn(move || {
                    let book = TokenBook::beside(dir);
                    start.wait();
                    redeem(&book, &secret, key, NOW).is_ok()
                })
            })
            .collect();
        let won = threads.into_iter().map(|thread| thread.join().unwrap());
        won.filter(|&won| won).count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn makers_at_once_do_not_lose_each_others_tokens() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for maker in 0..8 {
            let dir = dir.path();
            scope.spawn(move || make(&TokenBook::beside(dir), &format!("ap-{maker}")));
        }
    });
    assert_eq!(TokenBook::beside(dir.path()).entries().unwrap().len(), 8);
}

#[test]
fn tokens_that_are_unknown_revoked_or_refused_are_not_redeemed() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    assert!(matches!(
        redeem(&book, &[0; SECRET_BYTES], 1, NOW),
        Err(RedeemError::Unknown)
    ));
    let secret = make(&book, "ap-1");
    let refused = book.redeem(&secret, &[1; KEY_BYTES], NOW, |agent, site| {
        assert_eq!((agent.as_str(), site.as_str()), ("ap-1", "hq"));
        Err("not today")
    });
    assert_eq!(refused.unwrap_err().to_string(), "not today");
    assert_eq!(book.entries().unwrap()[0].redeemed, None);

    let id = book.entries().unwrap()[0].id();
    assert!(book.revoke("").unwrap().is_empty());
    assert_eq!(book.revoke(&id).unwrap().len(), 1);
    assert!(matches!(
        redeem(&book, &secret, 1, NOW),
        Err(RedeemError::Unknown)
    ));
}

#[test]
fn the_book_is_private_and_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    let secret = make(&book, "ap-1");
    redeem(&book, &secret, 3, NOW).unwrap();
    let text = fs::read_to_string(&book.path).unwrap();
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!text.contains(&secret), "{text}");
    #[cfg(unix)]
    for path in [&book.path, &book.lock] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
#[cfg(unix)]
fn what_root_writes_is_the_folders_owners() {
    use std::os::unix::fs::{MetadataExt, chown, symlink};
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    if !rustix::process::geteuid().is_root() || chown(dir.path(), Some(4_321), Some(4_322)).is_err()
    {
        eprintln!("skipped: this user cannot give files away");
        return;
    }
    let owner = |path: &Path| {
        let file = fs::metadata(path).unwrap();
        (file.uid(), file.gid())
    };
    make(&book, "ap-1");
    assert_eq!(owner(&book.path), (4_321, 4_322));
    assert_eq!(owner(&book.lock), (4_321, 4_322));

    // A link in the place of the lock gives nothing else away.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other");
    fs::write(&other, "").unwrap();
    fs::remove_file(&book.lock).unwrap();
    symlink(&other, &book.lock).unwrap();
    make(&book, "ap-2");
    assert_eq!(owner(&other).0, 0);
}

#[test]
fn tokens_that_are_over_are_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    make(&book, "ap-1");
    let entry = book.entries().unwrap().remove(0);
    book.write(&vec![entry; TOKENS_MAX]).unwrap();
    let make = |now| book.make(&agent("ap-2"), &site(), Fingerprint([1; 32]), HOUR, now);
    assert!(matches!(make(NOW + 3_600), Err(BookError::Full)));
    make(NOW + 3_601).unwrap();
}

#[test]
fn a_damaged_book_tells_the_line_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    let secret = make(&book, "ap-1");
    let text = fs::read_to_string(&book.path).unwrap() + "something else\n";
    fs::write(&book.path, &text).unwrap();
    let error = redeem(&book, &secret, 1, NOW).unwrap_err().to_string();
    assert!(
        error.contains("join-tokens, line 4: not a join token"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&book.path).unwrap(), text);
}

#[test]
fn tokens_that_are_long_over_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let book = TokenBook::beside(dir.path());
    make(&book, "ap-1");
    let later = NOW + 3_600 + REMEMBERED_S + 1;
    let authority = Fingerprint([1; 32]);
    book.make(&agent("ap-2"), &site(), authority, HOUR, later)
        .unwrap();
    let left = book.entries().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].agent, agent("ap-2"));
    for wrong in [Duration::ZERO, VALID_MAX + HOUR] {
        let error = book.make(&agent("ap-3"), &site(), authority, wrong, NOW);
        assert!(matches!(error, Err(BookError::Validity)));
    }
}
