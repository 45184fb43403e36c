//! Each row of the tables is seen to hold, and not to where it should not.

mod kinds;

use super::table::{FILES, GROUPS, PROGRAMS, SERVICES};
use super::*;

fn rule(run: &[&str], edit: &[&str]) -> SudoRule {
    SudoRule {
        run_as: "root".into(),
        run_as_group: None,
        run: run.iter().map(ToString::to_string).collect(),
        edit: edit.iter().map(ToString::to_string).collect(),
        password: true,
        tidy: false,
    }
}

fn gives(sudo: Vec<SudoRule>) -> Gives {
    Gives {
        login: true,
        record: false,
        break_glass: false,
        on_end: crate::policy::OnEnd::Kill,
        sudo,
    }
}

fn found(sudo: SudoRule) -> Vec<Finding> {
    of_gives("x", &gives(vec![sudo]), &Seen::default())
}

fn of(command: &str) -> Vec<String> {
    let found = found(rule(&[command], &[]));
    found.into_iter().map(|finding| finding.message).collect()
}

fn warned(command: &str) -> bool {
    !of(command).is_empty()
}

#[test]
fn every_row_about_programs_holds_where_it_should_and_not_where_it_should_not() {
    let rows = PROGRAMS.all();
    let programs: usize = rows.iter().map(|row| row.programs.0.len()).sum();
    assert!(programs > 1_000, "{programs}");
    let mut wrong = Vec::new();
    for row in rows {
        let conditional = row.verbs.is_some()
            || !row.except.0.is_empty()
            || row.with.is_some()
            || !row.without.0.is_empty()
            || row.fixed.is_some()
            || matches!(row.kind, Kind::Wraps | Kind::Sed);
        let first = row.programs.0.first();
        if conditional && (row.bad.is_none() || row.good.is_none()) {
            wrong.push(format!("{first:?}: a condition without examples"));
        }
        for program in &row.programs.0 {
            let command = format!("/usr/bin/{program} {}", row.bad.as_deref().unwrap_or("x"));
            if !warned(command.trim()) {
                wrong.push(format!("quiet: {command}"));
            }
        }
        if let (Some(good), Some(program)) = (&row.good, first) {
            let good = if good.is_empty() { "\"\"" } else { good };
            let command = format!("/usr/bin/{program} {good}");
            wrong.extend(
                of(&command)
                    .iter()
                    .map(|found| format!("{command}: {found}")),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_file_and_group_of_the_tables_is_told() {
    for row in &FILES.row {
        for file in &row.files.0 {
            let file = file.replace('*', "x");
            let file = if file.ends_with('/') {
                format!("{file}x")
            } else {
                file
            };
            let file = if file.starts_with('/') {
                file
            } else {
                format!("/{file}")
            };
            if row.read {
                assert!(warned(&format!("/bin/cat {file}")), "{file}");
            } else {
                assert!(!found(rule(&[], &[&file])).is_empty(), "{file}");
                assert!(warned(&format!("/usr/bin/tee {file}")), "{file}");
            }
        }
    }
    for file in [
        "/etc/hosts",
        "/etc/motd",
        "/srv/app/app.conf",
        "/etc/app/app.conf",
    ] {
        assert_eq!(found(rule(&[], &[file])), [], "{file}");
    }
    for row in &GROUPS.row {
        for group in &row.groups.0 {
            let mut with_group = rule(&["/usr/bin/id \"\""], &[]);
            with_group.run_as = "shopdb".into();
            assert_eq!(found(with_group.clone()), []);
            with_group.run_as_group = Some(group.clone());
            assert_eq!(found(with_group).len(), 1, "{group}");
        }
    }
}

#[test]
fn a_services_configuration_with_the_restart_in_the_same_role_is_told_as_a_pair() {
    for row in &SERVICES.row {
        for (file, unit) in row.files.0.iter().zip(row.units.0.iter().cycle()) {
            let file = file.replace('*', "x");
            let file = if file.ends_with('/') {
                format!("{file}x")
            } else {
                file
            };
            let unit = unit.replace('*', "");
            let restart = format!("/usr/bin/systemctl restart {unit}");
            let both = found(rule(&[&restart], &[&file]));
            assert!(
                both.iter()
                    .any(|one| one.message.contains("together this amounts to")),
                "{file} {unit}: {both:?}"
            );
            let alone = found(rule(&["/usr/bin/systemctl restart other-x"], &[&file]));
            assert!(
                alone[0].message.contains("when it next starts"),
                "{file}: {alone:?}"
            );
        }
    }
    let other = found(rule(
        &["/usr/bin/systemctl reload nginx"],
        &["/srv/app/app.conf"],
    ));
    assert_eq!(other, []);
}

#[test]
fn what_looks_narrow_and_is_root_is_told() {
    for command in [
        "/bin/bash",
        "/usr/bin/bash-static -c x",
        "/usr/bin/python3.11 /opt/x.py",
        "/usr/bin/perl5.36.0 -e x",
        "/usr/bin/php8.2 x",
        "/usr/bin/lua5.4 x",
        "/usr/bin/gcc-12 x",
        "/usr/bin/vim.basic /etc/motd",
        "/usr/bin/less /var/log/syslog",
        "/usr/bin/zless /var/log/syslog",
        "/usr/bin/dmesg -H",
        "/usr/bin/systemctl",
        "/usr/bin/systemctl *",
        "/usr/bin/systemctl list-unit-files",
        "/usr/bin/systemctl -t service",
        "/usr/bin/systemctl help",
        "/usr/bin/systemctl status nginx",
        "/usr/bin/systemctl reenable nginx",
        "/usr/bin/systemctl preset nginx",
        "/usr/bin/systemctl add-wants a b",
        "/usr/bin/systemctl bind nginx /a /b",
        "/usr/bin/systemctl start debug-shell",
        "/usr/bin/systemctl start debug-shell.service",
        "/usr/bin/systemctl isolate rescue.target",
        "/usr/bin/systemctl -H root@x status",
        "/usr/bin/journalctl -u nginx",
        "/usr/bin/chmod u+s /usr/local/bin/x",
        "/usr/bin/chmod 4755 /srv/x",
        "/usr/bin/chown root /home/alice/x",
        "/usr/bin/chown alice /etc/shadow",
        "/usr/bin/cp /home/alice/x /srv/x",
        "/usr/bin/cp /srv/x /etc/sudoers.d/x",
        "/usr/bin/mount /home/alice/image /mnt",
        "/usr/bin/cat /tmp/x",
        "/usr/bin/cat ../../etc/shadow",
        "/usr/bin/docker-compose up",
        "/usr/local/bin/k3s kubectl get pods",
        "/usr/bin/terraform apply",
        "/usr/bin/ansible-playbook /srv/site.yml",
        "/usr/bin/salt-call state.apply",
        "/usr/bin/consul exec id",
        "/usr/sbin/rabbitmqctl eval x",
        "/usr/bin/nodejs /srv/x.js",
        "/usr/bin/java -jar /srv/x.jar",
        "/usr/bin/run-parts /srv/x",
        "/usr/bin/flock /run/x /bin/bash",
        "/usr/bin/env bash",
        "/usr/bin/nice -n 5 /usr/bin/vim /srv/x",
        "/usr/bin/tail -f /var/log/*",
        "/usr/bin/tcpdump -i eth0 *",
        "/usr/bin/sed -i s/a/b/e /etc/x",
        "/usr/bin/sed -i s/a/b/ /etc/passwd",
        "/usr/bin/dpkg -l",
        "/usr/bin/crontab -u carol -e",
        "/home/deploy/release \"\"",
        "/usr/sbin/sysctl -w kernel.core_pattern=x",
        "/usr/bin/find /srv -exec x",
    ] {
        assert!(warned(command), "{command}");
    }
}

#[test]
fn narrow_rules_are_quiet() {
    for command in [
        "/usr/bin/systemctl restart nginx",
        "/usr/bin/systemctl reload nginx",
        "/usr/bin/systemctl is-active nginx",
        "/usr/bin/systemctl status --no-pager nginx",
        "/usr/bin/systemctl daemon-reload",
        "/usr/bin/journalctl --no-pager -u nginx",
        "/usr/bin/journalctl --no-pager -u nginx -n 100",
        "/usr/sbin/nginx -t",
        "/usr/bin/id \"\"",
        "/usr/bin/chown www-data /var/www/x",
        "/usr/bin/psql -d shop -c \"select 1\"",
        "/usr/bin/apt list",
        "/usr/bin/apt list --upgradable",
        "/usr/bin/docker ps",
        "/usr/bin/docker ps -a",
        "/usr/bin/docker logs shop",
        "/usr/bin/crontab -l",
        "/usr/bin/crontab -l -u shop",
        "/usr/bin/sed -i s/a/b/ /etc/x",
        "/usr/bin/timeout 5 /usr/bin/id",
        "/usr/bin/tail -n 100 /var/log/nginx/error.log",
        "/usr/bin/kubectl get pods",
        "/usr/sbin/reboot \"\"",
        "/usr/bin/kill -HUP 1234",
        "/usr/bin/dmesg -T",
        "/usr/sbin/service nginx restart",
        "/usr/bin/ip addr show",
        "/usr/bin/mount /mnt/backup",
        "/usr/bin/chmod 640 /etc/nginx/x.conf",
        "/usr/bin/du -sh /var/log",
        "/usr/bin/df -h",
        "/usr/bin/ss -ltn",
    ] {
        assert_eq!(of(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_file_that_is_named_without_a_folder_is_any_file_of_the_person_s_choice() {
    for (command, file) in [
        ("/usr/bin/cp a /etc/motd", "a"),
        ("/usr/bin/cp -r conf/site /srv/site", "conf/site"),
        ("/usr/bin/tee -a x", "x"),
        ("/usr/bin/dd if=/dev/zero of=x bs=1M", "x"),
        ("/usr/bin/dd if=x of=/srv/x", "x"),
        ("/usr/bin/install -m 640 a /srv/b", "a"),
        ("/usr/bin/mv a /srv/b", "a"),
        ("/usr/bin/unzip -d /srv site.zip", "site.zip"),
        ("/usr/bin/chown -R www-data .", "."),
        ("/usr/bin/chmod 644 x", "x"),
        ("/usr/bin/sed -i s/a/b/ x", "x"),
        ("/usr/bin/sed -i -e s/a/b/ x", "x"),
        ("/usr/bin/grep -i shop x", "x"),
        ("/usr/bin/cat -n x", "x"),
        ("/usr/bin/tail -n 5 x", "x"),
        ("/usr/bin/nice -n 5 /usr/bin/cat x", "x"),
        ("/usr/bin/mount disk.img /mnt", "disk.img"),
    ] {
        let told = of(command);
        let here = format!("{file} is what it is in the folder that the person chooses");
        assert!(
            told.iter().any(|text| text.starts_with(&here)),
            "{command}: {told:?}"
        );
    }
    for command in [
        "/usr/bin/cp -a /srv/a /srv/b",
        "/usr/bin/head -n 5 /var/log/x",
        "/usr/bin/sed -i -e s/a/b/ /etc/x",
        "/usr/bin/grep -A 3 shop /var/log/x",
        "/usr/bin/dd if=/srv/a of=/srv/b bs=1M",
        "/usr/bin/chown -R www-data /var/www/x",
        "/usr/bin/tail -n 5 -",
        "/usr/bin/touch -d yesterday /srv/x",
        "/usr/bin/rsync -a web:/srv/a /srv/b",
    ] {
        assert_eq!(of(command), Vec::<String>::new(), "{command}");
    }
    // The folder of a typed command is approved with it, and root's alone.
    let typed = ["/usr/bin/cat", "x"].map(str::to_owned);
    assert_eq!(of_argv(&typed, "root", &Seen::default()), []);
}

#[test]
fn a_wildcard_is_told_with_what_may_stand_in_its_place() {
    let found = of("/usr/bin/systemctl restart nginx*");
    assert!(
        found.len() == 1 && found[0].contains("a wildcard stands for any text"),
        "{found:?}"
    );
    let found = of("/usr/local/bin/x *");
    assert!(
        found.len() == 1 && found[0].contains("../ included"),
        "{found:?}"
    );
    assert_eq!(
        of("/usr/local/bin/x")[0],
        "with any arguments at all, as root"
    );
}

#[test]
fn what_is_behind_a_link_and_who_can_write_it_is_judged_by_what_was_seen() {
    let mut seen = Seen::default();
    let real = "/usr/bin/bash".to_owned();
    seen.files
        .insert("/usr/local/bin/x".into(), SeenFile::Roots { real });
    let judged = |command: &str, seen: &Seen| {
        let found = of_gives("x", &gives(vec![rule(&[command], &[])]), seen);
        found.into_iter().map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(judged("/usr/local/bin/x \"\"", &seen), ["shell"]);
    let real = "/opt/x.py".to_owned();
    seen.files.insert(real.clone(), SeenFile::Roots { real });
    assert_eq!(judged("/usr/bin/python3.11 /opt/x.py", &seen), [""; 0]);
    assert_eq!(
        judged("/usr/bin/python3.11 /opt/x.py *", &seen),
        ["interpreter"]
    );
    let place = "/opt".to_owned();
    seen.files.insert(
        "/opt/x.py".into(),
        SeenFile::Loose {
            place: place.clone(),
        },
    );
    assert_eq!(
        judged("/usr/bin/python3.11 /opt/x.py", &seen),
        ["interpreter"]
    );
    seen.files
        .insert("/opt/run".into(), SeenFile::Loose { place });
    assert_eq!(judged("/opt/run \"\"", &seen), ["writable-place"]);
    seen.files.insert("/opt/gone".into(), SeenFile::Missing);
    assert_eq!(judged("/opt/gone \"\"", &seen), ["host"]);
    let real = "/usr/bin/busybox".to_owned();
    seen.files
        .insert("/bin/ls".into(), SeenFile::Roots { real });
    assert_eq!(judged("/bin/ls -l", &seen), [""; 0]);
}

#[test]
fn who_runs_commands_as_an_approver_decides() {
    let mut seen = Seen::default();
    let carol = Account {
        decides: vec!["web-ops".into()],
        ..Account::default()
    };
    seen.accounts.insert("carol".into(), carol);
    let mut as_carol = rule(&["/usr/bin/id \"\""], &[]);
    as_carol.run_as = "carol".into();
    let found = of_gives("x", &gives(vec![as_carol]), &seen);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].message.contains("carol, who decides on web-ops"),
        "{found:?}"
    );
    for command in [
        "/usr/bin/crontab -u carol -",
        "/usr/bin/nice /usr/bin/crontab -u carol -e",
        "/usr/bin/su carol -c id",
        "/usr/sbin/chroot --userspec=carol:carol / id",
        "/usr/bin/machinectl shell carol@.host",
    ] {
        let found = of_gives("x", &gives(vec![rule(&[command], &[])]), &seen);
        assert!(found.iter().any(|one| one.kind == "decides"), "{found:?}");
    }
    // To list a table runs nothing, and nobody of it.
    let lists = rule(&["/usr/bin/crontab -u carol -l"], &[]);
    assert_eq!(of_gives("x", &gives(vec![lists]), &seen), []);
}

#[test]
fn a_typed_command_is_judged_as_it_stands() {
    let of = |words: &[&str]| {
        let argv: Vec<String> = words.iter().map(ToString::to_string).collect();
        of_argv(&argv, "root", &Seen::default())
    };
    assert_eq!(of(&["/usr/bin/systemctl", "restart", "nginx*"]), []);
    assert_eq!(of(&["/usr/bin/id"]), []);
    assert_eq!(of(&["/usr/bin/vim", "/etc/motd"])[0].kind, "editor");
    let copy = "copy t to program 'id'";
    assert_eq!(of(&["/usr/bin/psql", "-c", copy])[0].kind, "shell-escape");
    assert_eq!(of(&["/usr/bin/tee", "/etc/sudoers.d/x"])[0].kind, "rights");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_judging_panic(text in "[ -~]{0,60}", name in "[a-z*?\\[]{0,8}") {
        let _ = of(&format!("/usr/bin/{name} {text}"));
        let _ = found(rule(&[], &[&text]));
    }
}

#[test]
fn whatever_is_wrapped_is_judged_with_what_stands_behind_it() {
    let wrappers = [
        "nice -n 5",
        "timeout 10",
        "env X=Y",
        "ionice -c 3",
        "stdbuf -o0",
        "setsid",
        "nohup",
        "chrt 1",
        "taskset 1",
        "watch -n 1",
        "time",
        "flock /run/x",
        "nice timeout 5 nohup",
    ];
    for wrapper in wrappers {
        for inner in [
            "/home/alice/job.sh",
            "/tmp/job",
            "./job.sh",
            "bin/job.sh",
            "/bin/bash",
            "/usr/bin/tee /etc/sudoers.d/x",
            "/usr/bin/cat /etc/shadow",
        ] {
            let command = format!("/usr/bin/{wrapper} {inner}");
            assert!(warned(&command), "{command}");
        }
        let command = format!("/usr/bin/{wrapper} /usr/bin/id");
        assert_eq!(of(&command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_name_is_the_same_however_it_is_spelled() {
    for path in [
        "/etc/shadow",
        "/etc//shadow",
        "/etc/./shadow",
        "/var/../etc/shadow",
        "/usr/share/../../etc/shadow",
    ] {
        assert!(warned(&format!("/usr/bin/cat {path}")), "{path}");
        assert!(warned(&format!("/usr/bin/cp /srv/x {path}")), "{path}");
        assert!(!found(rule(&[], &[path])).is_empty(), "{path}");
    }
    assert_eq!(found(rule(&[], &["/etc/sudoers.d/../motd"])), []);
}

#[test]
fn a_folder_is_what_is_in_it() {
    for command in [
        "/usr/bin/chown alice /etc/sudoers.d",
        "/usr/bin/chown alice /etc",
        "/usr/bin/chown alice:alice /",
        "/usr/bin/chown -R alice /etc/nginx",
        "/usr/bin/cp /srv/x /etc/sudoers.d",
        "/usr/bin/cp /srv/x /etc/",
        "/usr/bin/cp -t /etc/cron.d /srv/x",
        "/usr/bin/mv /srv/x /etc/profile.d",
        "/usr/bin/rsync -a /srv/x/ /etc/",
        "/usr/bin/rsync -a /etc/ssh /srv/x",
        "/usr/bin/tar cf /srv/x.tar /etc",
        "/usr/bin/tar czf - /root",
        "/usr/bin/cp -r /root /srv/x",
        "/usr/bin/grep -r x /etc",
        "/usr/bin/zip -r /srv/x.zip /etc/ssh",
    ] {
        assert!(warned(command), "{command}");
    }
    for command in [
        "/usr/bin/tar cf /srv/site.tar /srv/site",
        "/usr/bin/cp -r /srv/a /srv/b",
        "/usr/bin/chown -R www-data /var/www",
        "/usr/bin/cp /etc/nginx/nginx.conf /var/backups/nginx.conf",
        "/usr/bin/rsync -a /srv/site/ /var/backups/site",
    ] {
        assert_eq!(of(command), Vec::<String>::new(), "{command}");
    }
}

#[test]
fn a_services_configuration_is_told_whatever_writes_it() {
    for command in [
        "/usr/bin/tee /etc/nginx/nginx.conf",
        "/usr/bin/tee -a /etc/nginx/conf.d/x.conf",
        "/usr/bin/cp /srv/x /etc/nginx/nginx.conf",
        "/usr/bin/dd of=/etc/nginx/nginx.conf",
        "/usr/bin/ln -sf /srv/x /etc/nginx/nginx.conf",
    ] {
        assert!(warned(command), "{command}");
        let pair = found(rule(&[command, "/usr/bin/systemctl restart nginx"], &[]));
        assert!(
            pair[0].message.contains("amounts to being root"),
            "{pair:?}"
        );
    }
    assert_eq!(
        of("/usr/bin/sed -i s/a/b/ /etc/nginx/nginx.conf"),
        Vec::<String>::new()
    );
}

#[test]
fn what_a_role_lets_be_changed_and_run_is_told_as_a_pair() {
    for (run, edit) in [
        ("/srv/app/job.sh \"\"", "/srv/app/job.sh"),
        ("/usr/bin/python3 /srv/app/job.py", "/srv/app/job.py"),
        ("/usr/bin/nice /srv/app/job.sh", "/srv/app//job.sh"),
    ] {
        let pair = found(rule(&[run], &[edit]));
        let is_pair = |finding: &Finding| finding.message.contains("of the same role runs it");
        assert!(pair.iter().any(is_pair), "{run} {edit}: {pair:?}");
    }
    let tee = found(rule(&["/usr/bin/tee /srv/app/x", "/srv/app/x"], &[]));
    assert!(
        tee[0].message.contains("of the same role runs it"),
        "{tee:?}"
    );
    assert_eq!(found(rule(&["/usr/bin/id \"\""], &["/srv/app/x.conf"])), []);
}

#[test]
fn a_script_of_roots_is_no_narrower_for_what_reads_the_folder_that_it_is_started_in() {
    let roots = |path: &str| {
        let seen = SeenFile::Roots {
            real: path.to_owned(),
        };
        (path.to_owned(), seen)
    };
    let seen = Seen {
        files: [roots("/opt/site.yml"), roots("/opt/x.py")].into(),
        ..Seen::default()
    };
    let of = |command: &str| of_gives("x", &gives(vec![rule(&[command], &[])]), &seen);
    assert_eq!(of("/usr/bin/python3 /opt/x.py"), []);
    assert!(!of("/usr/bin/ansible-playbook /opt/site.yml").is_empty());
}

#[test]
fn accounts_are_changed_in_more_ways_than_by_groups() {
    for command in [
        "/usr/sbin/usermod -u 0 alice",
        "/usr/sbin/usermod -o -u 0 alice",
        "/usr/sbin/groupmod -aU alice docker",
        "/usr/sbin/groupmod -U alice docker",
        "/usr/bin/install -m 4755 /srv/a /srv/b",
    ] {
        assert!(warned(command), "{command}");
    }
}

#[test]
fn whoever_a_command_names_to_run_things_as_is_found_in_each_spelling() {
    for command in [
        "/usr/bin/crontab -u carol -",
        "/usr/bin/crontab -ucarol /srv/x",
        "/usr/bin/su - carol",
        "/usr/sbin/runuser --user=carol -- id",
        "/usr/bin/setpriv --reuid carol id",
        "/usr/bin/setpriv --reuid=carol id",
        "/usr/bin/systemd-run --uid=carol id",
    ] {
        assert!(names_in(command).contains(&"carol"), "{command}");
    }
    assert_eq!(names_in("/usr/bin/cat carol"), Vec::<&str>::new());
}
