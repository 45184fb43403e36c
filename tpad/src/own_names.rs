//! The names that a host goes by where a signed statement says for which hosts it is.

/// The host's own name (`gethostname(2)`), and the full names that hosts(5) gives it beside that: of
/// a line `127.0.1.1 web-01.example.com web-01` on `web-01` it is `web-01.example.com` too. Never
/// less than its own name: of a host that is called `web-01.example.com`, `web-01` is another, which
/// may be anywhere. No name service is asked, since whoever answers it would say which host this is.
#[must_use]
pub fn known_as(host: &str, hosts: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    if host.is_empty() {
        return names;
    }
    let full = |name: &str| {
        let start = name.get(..host.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(host))
            && name.get(host.len()..).is_some_and(|rest| {
                rest.strip_prefix('.')
                    .is_some_and(|domain| !domain.is_empty())
            })
    };
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let listed: Vec<_> = line.split_ascii_whitespace().skip(1).collect();
        if listed.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            let more = listed.into_iter().filter(|name| full(name));
            names.extend(more.map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "127.0.0.1 localhost\n\
        127.0.1.1\tweb-01.example.com web-01 # web-01.elsewhere.org\n\
        10.0.0.2 web-02.example.com web-02\n\
        10.0.0.3 web-01.test.org other\n\
        # 10.0.0.4 web-01.old.org web-01\n\
        10.0.0.5 web-011.example.com shop.example.com web-01\n";

    #[test]
    fn a_host_goes_by_its_name_and_by_the_full_one_that_its_own_file_gives_it() {
        assert_eq!(known_as("web-01", HOSTS), ["web-01", "web-01.example.com"]);
        assert_eq!(known_as("WEB-01", HOSTS), ["WEB-01", "web-01.example.com"]);
        assert_eq!(known_as("web-01", ""), ["web-01"]);
    }

    #[test]
    fn less_than_its_own_name_is_another_host_s() {
        let own = "web-01.example.com";
        assert_eq!(known_as(own, HOSTS), [own]);
        assert_eq!(known_as("", "127.0.0.1 . \n"), [""]);
    }
}
