//! Commands and files by kind, each of which amounts to root, or to more than it seems: and their
//! neighbours, which do not.

use super::{found, of, rule, warned};

fn silent<'c>(commands: &[&'c str]) -> Vec<&'c str> {
    let quiet = |command: &&&str| !warned(command);
    commands.iter().filter(quiet).copied().collect()
}

const NONE: [&str; 0] = [];

#[test]
fn wrappers_are_seen_through() {
    let commands = [
        "/usr/bin/nice -n 5 /home/alice/job.sh",
        "/usr/bin/timeout 10 /tmp/x",
        "/usr/bin/timeout -s KILL 10 ./job.sh",
        "/usr/bin/env X=Y /home/alice/job.sh",
        "/usr/bin/env X=Y job/run.sh",
        "/usr/bin/env LD_PRELOAD=/usr/local/lib/x.so /usr/bin/id",
        "/usr/bin/env PYTHONPATH=/srv/x /usr/local/bin/x",
        "/usr/bin/env PATH=/srv/x /usr/local/bin/x",
        "/usr/bin/env -S \"/usr/local/bin/x y\"",
        "/usr/bin/env --split-string=/usr/local/bin/x",
        "/usr/bin/ionice -c 3 /var/tmp/x",
        "/usr/bin/stdbuf -oL /home/alice/x",
        "/usr/bin/setsid /home/alice/x",
        "/usr/bin/nohup /srv/jobs/x",
        "/usr/bin/chrt -b 0 /home/alice/x",
        "/usr/bin/taskset 1 /home/alice/x",
        "/usr/bin/unshare /usr/bin/id",
        "/usr/bin/nsenter -t 1 -m /usr/bin/id",
        "/usr/sbin/chroot / /usr/bin/id",
        "/usr/sbin/runuser -u root -- /usr/bin/id",
        "/usr/bin/watch /home/alice/x",
        "/usr/bin/watch \"/usr/bin/id; /home/alice/x\"",
        "/usr/bin/xargs /usr/bin/id",
        "/usr/bin/find /srv -exec /usr/bin/id {} ;",
        "/usr/bin/flock /run/x.lock /home/alice/x",
        "/usr/bin/time -p /home/alice/x",
        "/usr/bin/prlimit --nofile=10 /home/alice/x",
        "/usr/bin/choom -n 1 -- /home/alice/x",
        "/usr/bin/nice /usr/bin/timeout 5 /home/alice/x",
        "/usr/bin/nice /usr/bin/timeout 5 /usr/bin/vim",
        "/usr/bin/nice /usr/bin/cat /etc/shadow",
        "/usr/bin/nice /usr/bin/tee /etc/sudoers.d/x",
        "/usr/bin/nice /usr/bin/cat /etc/*",
        "/usr/bin/xvfb-run /home/alice/x",
        "/usr/bin/annotate-output /home/alice/x",
        "/usr/bin/perf stat /home/alice/x",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn files_whose_edit_is_root_are_told() {
    let files = "
        /etc/hosts.allow /etc/hosts.deny /etc/request-key.conf /etc/request-key.d/x.conf /etc/ufw/before.rules
        /etc/ufw/after.rules /etc/ufw/before.init /etc/ufw/ufw.conf /etc/e2scrub.conf /etc/cron.d/x /etc/cron.daily/x /etc/anacrontab
        /etc/logrotate.d/x /etc/apt/apt.conf.d/x /etc/apt/sources.list /etc/dpkg/dpkg.cfg.d/x /etc/udev/rules.d/x.rules
        /etc/modprobe.d/x.conf /etc/ld.so.conf.d/x.conf /etc/ld.so.preload /etc/environment /etc/environment.d/x.conf
        /etc/profile.d/x.sh /etc/pam.d/sudo /etc/sudoers.d/x /etc/ssh/sshd_config /etc/ssh/sshd_config.d/x.conf
        /etc/systemd/system/x.service /etc/systemd/system/nginx.service.d/x.conf /etc/tmpfiles.d/x.conf
        /etc/sysctl.d/x.conf /etc/binfmt.d/x.conf /etc/networkd-dispatcher/routable.d/x /etc/dhcp/dhclient.conf
        /etc/dhcp/dhclient-exit-hooks.d/x /etc/ppp/ip-up.d/x /etc/smartd.conf /etc/mdadm/mdadm.conf /etc/mdadm.conf
        /etc/postfix/master.cf /etc/aliases /etc/exim4/exim4.conf.template /etc/php/8.2/fpm/php.ini /etc/apache2/apache2.conf
        /etc/nginx/nginx.conf /etc/rsyslog.d/x.conf /etc/fail2ban/action.d/x.conf /etc/inittab /etc/xinetd.d/x
        /etc/snmp/snmpd.conf /etc/zabbix/zabbix_agentd.d/x.conf /etc/zabbix_agentd.conf /etc/monit/monitrc /etc/monitrc
        /etc/needrestart/conf.d/x.conf /etc/update-motd.d/10-x /etc/kernel/postinst.d/x /etc/initramfs-tools/hooks/x
        /etc/init.d/x /etc/polkit-1/rules.d/x.rules /usr/share/dbus-1/system-services/x.service
        /etc/cups/cupsd.conf /etc/wgetrc /etc/curlrc /root/.bashrc /etc/idmapd.conf /etc/nftables.conf /etc/nftables.d/x.nft
        /etc/iptables/rules.v4 /etc/firewalld/direct.xml /etc/shorewall/start /etc/ferm/ferm.conf /etc/ipset.conf
        /etc/chrony/chrony.conf /etc/ntp.conf /etc/ntpsec/ntp.conf /etc/ifstate.conf /etc/conntrackd/conntrackd.conf
        /etc/osquery/osquery.conf /etc/wazuh/ossec.conf /var/ossec/etc/ossec.conf /etc/prometheus/prometheus.yml
        /etc/munin/munin-node.conf /etc/munin/plugin-conf.d/x /etc/xymon/xymonclient.cfg /etc/sensu/agent.yml /etc/nrpe.cfg
        /etc/dkms/framework.conf /etc/pbuilderrc /etc/apticron/apticron.conf /etc/cron-apt/config /etc/checkinstallrc
        /etc/tcsh.login /etc/ksh.kshrc /etc/man_db.conf /etc/manpath.config /etc/deluser.conf /etc/magic /etc/crypttab
        /etc/subversion/config /etc/mercurial/hgrc /etc/logcheck/logcheck.conf /etc/logwatch/conf/logwatch.conf
        /etc/aide/aide.conf /etc/rkhunter.conf /etc/rkhunter.conf.local /etc/chkrootkit.conf /etc/clamav/clamd.conf
        /etc/freshclam.conf /etc/knockd.conf /etc/fwknop/access.conf /etc/at-spi2/accessibility.conf /etc/syslog.conf
        /etc/rc.local /etc/rc.firewall /etc/wpa_supplicant.conf /etc/dhcpcd.conf /etc/ifplugd/ifplugd.conf /etc/netctl/x
        /etc/connman/main.conf /etc/ucarp/x /etc/heartbeat/haresources /etc/pacemaker/x /etc/sanoid/sanoid.conf
        /etc/zfs/zed.d/zed.rc /etc/restic/x.env /etc/autorestic.yml /etc/duplicity/x /etc/rsnapshot.conf /etc/burp/burp.conf
        /etc/gitea/app.ini /etc/openldap/slapd.conf /etc/ldap/slapd.d/x /etc/slapd.conf /etc/squid/squid.conf /etc/trafficserver/plugin.config
        /etc/tinyproxy/tinyproxy.conf /etc/caddy/Caddyfile /etc/traefik/traefik.yml /etc/envoy/envoy.yaml /etc/asterisk/extensions.conf
        /etc/freeswitch/vars.xml /etc/turnserver.conf /etc/mongod.conf /etc/cassandra/cassandra-env.sh /etc/neo4j/neo4j.conf
        /etc/libnss-ldap.conf /etc/nscd.conf /etc/ssl/openssl.cnf /etc/default/nginx /etc/udisks2/udisks2.conf /etc/usbguard/rules.conf
        /etc/opt/x/y /etc/sane.d/saned.conf /etc/pulse/default.pa /etc/systemd/system.conf /usr/local/bin/x /usr/local/sbin/x
        /etc/../etc/sudoers.d/x /etc//sudoers.d/x /etc/./cron.d/x /srv/../etc/shadow /etc/cron.d/../sudoers
        /etc/sudoers.d/ /etc/cron.d /etc/sudoers.d/* /etc/*/x /etc/* /etc/cron.?/x
        /var/spool/cron/crontabs/root /var/lib/systemd/linger/x /var/lib/NetworkManager/x /proc/sys/kernel/core_pattern
        /sys/kernel/uevent_helper /proc/self/mem /lib/systemd/system/x.service /run/systemd/system/x.service /run/udev/rules.d/x
        /var/www/.ssh/authorized_keys /home/bob/.bashrc /home/bob/.ssh/authorized_keys /var/lib/postgresql/.profile /etc/ssh/sshrc
        /etc/ssh/ssh_config /etc/login.defs /etc/nsswitch.conf /etc/resolvconf/update.d/x /etc/sudo_lecture.d/../sudo.conf
        /etc/init/x.conf /etc/puppet/puppet.conf /etc/salt/minion /etc/chef/client.rb /etc/cloud/cloud.cfg /etc/default/grub
    ";
    let silent: Vec<&str> = files
        .split_whitespace()
        .filter(|file| found(rule(&[], &[file])).is_empty())
        .collect();
    assert_eq!(silent, NONE);
}

#[test]
fn files_that_only_say_something_are_quiet_to_edit() {
    let told: Vec<&str> = "/etc/hosts /etc/motd /etc/issue /etc/issue.net /srv/app/app.conf /etc/app/app.conf /etc/shop/shop.toml
        /etc/resolv.conf /etc/hostname /etc/timezone /var/www/html/robots.txt /etc/app.conf /etc/locale.conf /srv/www/index.html"
        .split_whitespace()
        .filter(|file| !found(rule(&[], &[file])).is_empty())
        .collect();
    assert_eq!(told, NONE);
}

#[test]
fn pagers_are_told_unless_the_rule_says_no_pager() {
    let commands = [
        "/usr/bin/systemctl status",
        "/usr/bin/systemctl status nginx",
        "/usr/bin/journalctl",
        "/usr/bin/journalctl -u nginx",
        "/usr/bin/journalctl -xe",
        "/usr/bin/git log",
        "/usr/bin/git -C /srv/x diff",
        "/usr/bin/dpkg -l",
        "/usr/bin/dpkg --list nginx",
        "/usr/bin/dpkg-query -l",
        "/usr/bin/man ls",
        "/usr/bin/psql shop",
        "/usr/bin/mysql shop",
        "/usr/bin/less /var/log/x",
        "/usr/bin/bat /var/log/x",
        "/usr/bin/loginctl",
        "/usr/bin/networkctl status",
        "/usr/bin/timedatectl",
        "/usr/bin/timedatectl timesync-status",
        "/usr/bin/resolvectl status",
        "/usr/bin/systemd-analyze blame",
        "/usr/bin/hostnamectl status",
        "/usr/bin/systemd-cgls",
        "/usr/bin/systemd-delta",
        "/usr/bin/systemd-cgtop",
        "/usr/bin/udevadm info -a /dev/null",
        "/usr/bin/nmcli device show",
        "/usr/bin/lsblk -P *",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn what_writes_a_key_file_by_whatever_program_is_told() {
    let commands = [
        "/usr/bin/cp /srv/x /etc/sudoers.d",
        "/usr/bin/cp /srv/x /etc/sudoers.d/",
        "/usr/bin/cp -t /etc/sudoers.d /srv/x",
        "/usr/bin/cp --target-directory=/etc/sudoers.d /srv/x",
        "/usr/bin/cp /srv/sudoers /etc",
        "/usr/bin/cp /srv/x /etc//sudoers.d/x",
        "/usr/bin/cp /srv/x /srv/../etc/cron.d/x",
        "/usr/bin/mv /srv/x /etc/cron.d",
        "/usr/bin/ln -s /srv/x /etc/cron.d/x",
        "/usr/bin/install -m 440 /srv/x /etc/sudoers.d/x",
        "/usr/bin/rsync -a /srv/x /etc/cron.d/",
        "/usr/bin/rsync -a /srv/etc/ /etc/",
        "/usr/bin/tee -a /etc/passwd",
        "/usr/bin/dd if=/srv/x of=/etc/shadow",
        "/usr/bin/sed -i s/a/b/ /etc/sudoers.d/x",
        "/usr/bin/perl -pi -e s/a/b/ /etc/nginx/nginx.conf",
        "/usr/bin/chown alice /etc/sudoers.d",
        "/usr/bin/chown alice /etc/sudoers.d/",
        "/usr/bin/chown -R alice /etc",
        "/usr/bin/chown alice: /etc/cron.d",
        "/usr/bin/chown alice /etc/nginx/nginx.conf",
        "/usr/bin/chown -R alice /etc/nginx",
        "/usr/bin/chgrp web /etc/sudoers.d",
        "/usr/bin/chown alice /usr/local/bin",
        "/usr/bin/chown alice /",
        "/usr/bin/setfacl -m u:alice:rw /etc/shadow",
        "/usr/bin/chmod u+s /usr/bin/find",
        "/usr/bin/chmod +s /usr/bin/find",
        "/usr/bin/chmod 4755 /usr/bin/find",
        "/usr/bin/chmod g+w /etc/sudoers.d",
        "/usr/bin/chmod 777 /etc",
        "/usr/bin/chattr -i /etc/shadow",
        "/usr/bin/tee /etc/nginx/nginx.conf",
        "/usr/bin/tee /etc/hosts.allow",
        "/usr/bin/unzip /srv/x.zip -d /etc",
        "/usr/bin/tar -xf /srv/x.tar -C /etc",
        "/usr/bin/tar xf /srv/x.tar",
        "/usr/bin/tar -xzvf /srv/x.tgz",
        "/usr/bin/touch /etc/cron.d/x",
        "/usr/bin/truncate -s 0 /etc/passwd",
        "/usr/bin/rm -f /etc/tpa/tpad.toml",
        "/usr/bin/rm -rf /etc/tpa",
        "/usr/bin/bsdtar -xf /srv/x.tar",
        "/usr/bin/scp /srv/x root@localhost:/etc/x",
        "/usr/bin/tee /srv/app/*",
        "/usr/bin/cp /srv/*/x.conf /etc/app/x.conf",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn what_shows_or_copies_a_secret_by_whatever_program_is_told() {
    let commands = [
        "/usr/bin/cat /etc/shadow",
        "/usr/bin/cat /etc//shadow",
        "/usr/bin/cat /etc/shado?",
        "/usr/bin/tar -cf /srv/x.tar /etc/shadow",
        "/usr/bin/tar -cf - /etc",
        "/usr/bin/tar czf /srv/x.tgz -C /etc shadow",
        "/usr/bin/tar -cf /srv/x.tar /root/.ssh",
        "/usr/bin/tar -cf /srv/x.tar /root",
        "/usr/bin/tar -cf /srv/x.tar /etc/ssh",
        "/usr/bin/tar -cf /srv/x.tar /etc/ssh/ssh_host_*",
        "/usr/bin/tar -cf /srv/x.tar /var/lib/tpa",
        "/usr/bin/tar -cf /srv/x.tar /var/lib",
        "/usr/bin/tar -cf /srv/x.tar /home",
        "/usr/bin/zip /srv/x.zip /etc/shadow",
        "/usr/bin/zip -r /srv/x.zip /etc",
        "/usr/bin/rsync -a /etc/shadow /srv/x",
        "/usr/bin/rsync -a /etc /srv/x",
        "/usr/bin/rsync -a / /srv/x",
        "/usr/bin/cpio -o /etc/shadow",
        "/usr/bin/dd if=/etc/shadow",
        "/usr/bin/dd if=/dev/sda1",
        "/usr/bin/base64 /etc/shadow",
        "/usr/bin/xxd /etc/ssh/ssh_host_ed25519_key",
        "/usr/bin/openssl enc -base64 -in /etc/shadow",
        "/usr/bin/openssl base64 -in /root/.ssh/id_ed25519",
        "/usr/bin/cp /etc/shadow /srv/x",
        "/usr/bin/cp -r /var/lib/tpa /srv/x",
        "/usr/bin/install -m 644 /etc/shadow /srv/x",
        "/usr/bin/curl -T /etc/shadow http://localhost",
        "/usr/bin/curl file:///etc/shadow",
        "/usr/bin/grep -r x /etc",
        "/usr/bin/grep root /etc/shadow",
        "/usr/bin/awk 1 /etc/shadow",
        "/usr/bin/sort /etc/shadow",
        "/usr/bin/uniq /etc/shadow",
        "/usr/bin/split /etc/shadow",
        "/usr/bin/gpg -c /etc/shadow",
        "/usr/bin/7z a /srv/x.7z /etc/shadow",
        "/usr/bin/sqlite3 /var/lib/tpa/tpa.db \"select 1\"",
        "/usr/bin/getent shadow",
        "/usr/bin/getent gshadow root",
        "/usr/sbin/unix_chkpwd root nullok",
        "/usr/local/bin/show /etc/shadow",
        "/usr/bin/ssh-keygen -y -f /etc/ssh/ssh_host_rsa_key",
        "/usr/bin/borg create /srv/x /etc",
        "/usr/bin/diff /etc/shadow /dev/null",
        "/usr/bin/tail -n 100 /etc/shadow",
        "/usr/bin/rg x /root",
        "/usr/bin/iconv -f utf8 /etc/shadow",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn changes_to_accounts_are_told() {
    let commands = [
        "/usr/sbin/usermod -u 0 alice",
        "/usr/sbin/usermod -o -u 0 alice",
        "/usr/sbin/usermod -ou 0 alice",
        "/usr/sbin/usermod -aG sudo alice",
        "/usr/sbin/usermod -aG web alice",
        "/usr/sbin/usermod --groups=docker alice",
        "/usr/sbin/usermod -g root alice",
        "/usr/sbin/usermod -l root2 alice",
        "/usr/sbin/usermod -p x root",
        "/usr/sbin/usermod -U root",
        "/usr/sbin/usermod -d /etc alice",
        "/usr/sbin/usermod -s /bin/bash www-data",
        "/usr/sbin/groupmod -aU alice docker",
        "/usr/sbin/groupmod -U alice docker",
        "/usr/sbin/groupmod --users alice docker",
        "/usr/sbin/groupmod -g 0 -o web",
        "/usr/sbin/groupmod -n docker web",
        "/usr/sbin/groupadd -U alice -g 27 x",
        "/usr/bin/gpasswd -a alice docker",
        "/usr/bin/gpasswd --add alice docker",
        "/usr/bin/gpasswd -M alice docker",
        "/usr/bin/gpasswd -A alice docker",
        "/usr/sbin/adduser alice sudo",
        "/usr/sbin/adduser alice adm",
        "/usr/sbin/addgroup alice docker",
        "/usr/sbin/groupmems -a alice -g docker",
        "/usr/bin/passwd root",
        "/usr/bin/passwd -d root",
        "/usr/bin/passwd bob",
        "/usr/bin/passwd -u bob",
        "/usr/sbin/chpasswd \"\"",
        "/usr/sbin/chpasswd -e",
        "/usr/sbin/newusers \"\"",
        "/usr/sbin/newusers /srv/x",
        "/usr/sbin/vipw \"\"",
        "/usr/sbin/vigr \"\"",
        "/usr/sbin/useradd -o -u 0 x",
        "/usr/sbin/useradd -ou0 x",
        "/usr/sbin/useradd -u 0 -o x",
        "/usr/sbin/useradd -G sudo x",
        "/usr/sbin/useradd -g docker x",
        "/usr/sbin/visudo \"\"",
        "/usr/sbin/visudo -f /etc/sudoers.d/x",
        "/usr/bin/crontab -u carol -",
        "/usr/bin/crontab -u root /srv/x",
        "/usr/bin/newgidmap 1 0 0 1",
        "/usr/bin/loginctl enable-linger carol",
        "/usr/bin/homectl create x",
        "/usr/sbin/dpkg-statoverride --update --add root root 4755 /usr/bin/find",
        "/usr/sbin/cppw /srv/x",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn what_reads_its_configuration_from_the_current_folder_is_told() {
    let commands = [
        "/usr/bin/ansible-playbook /srv/site.yml",
        "/usr/bin/ansible-playbook -i hosts site.yml",
        "/usr/bin/make install",
        "/usr/bin/make -C /srv/app",
        "/usr/bin/git pull",
        "/usr/bin/git -C /srv/app pull",
        "/usr/bin/npm ci",
        "/usr/bin/npm version",
        "/usr/bin/npm ls",
        "/usr/bin/yarn list",
        "/usr/bin/bundle exec rake x",
        "/usr/bin/rake x",
        "/usr/bin/terraform plan",
        "/usr/bin/docker build .",
        "/usr/bin/docker compose up -d",
        "/usr/bin/docker compose ps",
        "/usr/bin/pip install -r requirements.txt",
        "/usr/bin/composer install",
        "/usr/bin/cargo build",
        "/usr/bin/go run .",
        "/usr/bin/mvn package",
        "/usr/bin/gradle build",
        "/usr/bin/pre-commit run",
        "/usr/bin/webpack build",
        "/usr/bin/cap production deploy",
        "/usr/bin/vagrant up",
        "/usr/bin/fab deploy",
        "/usr/bin/phpunit x",
        "/usr/bin/helm upgrade x ./chart",
        "/usr/bin/skaffold run",
        "/usr/bin/pytest x",
        "/usr/bin/rails server",
        "/usr/bin/flask run",
        "/usr/bin/celery worker",
        "/usr/bin/gunicorn app:app",
    ];
    assert_eq!(silent(&commands), NONE);
}

#[test]
fn neighbours_of_all_these_are_quiet() {
    let commands = [
        "/usr/bin/systemctl restart nginx",
        "/usr/bin/systemctl reload nginx.service",
        "/usr/sbin/nginx -t",
        "/usr/bin/journalctl --no-pager -u nginx",
        "/usr/bin/journalctl -u nginx --no-pager -n 200",
        "/usr/bin/ss -ltnp",
        "/usr/bin/systemctl status --no-pager nginx",
        "/usr/bin/systemctl --no-pager status nginx",
        "/usr/bin/systemctl is-active nginx",
        "/usr/bin/nice -n 5 /usr/bin/id",
        "/usr/bin/timeout 10 /usr/bin/systemctl restart nginx",
        "/usr/bin/env LANG=C /usr/bin/systemctl restart nginx",
        "/usr/bin/ionice -c 3 /usr/local/sbin/backup-shop",
        "/usr/bin/flock /run/backup.lock /usr/local/sbin/backup-shop",
        "/usr/bin/ls -l /etc/shadow",
        "/usr/bin/stat /etc/shadow",
        "/usr/bin/du -sh /root",
        "/usr/bin/find /etc -name x",
        "/usr/bin/tail -n 100 /var/log/nginx/error.log",
        "/usr/bin/tail -f /var/log/syslog",
        "/usr/bin/grep -r error /var/log/nginx",
        "/usr/bin/cat /etc/nginx/nginx.conf",
        "/usr/bin/tar -tf /srv/site.tar",
        "/usr/bin/tar -czf /srv/backup/www.tgz /var/www/shop",
        "/usr/bin/rsync -a /srv/a /srv/b",
        "/usr/bin/cp /srv/build/app.conf /etc/app/app.conf",
        "/usr/bin/cp /etc/nginx/nginx.conf /srv/backup/nginx.conf",
        "/usr/bin/chown www-data /var/www/x",
        "/usr/bin/chown -R www-data:www-data /var/www",
        "/usr/bin/chmod 640 /etc/nginx/nginx.conf",
        "/usr/bin/rm /var/cache/nginx/x",
        "/usr/bin/apt-get update",
        "/usr/bin/apt-cache policy nginx",
        "/usr/bin/dpkg -s nginx",
        "/usr/bin/docker ps",
        "/usr/bin/docker logs shop",
        "/usr/bin/passwd -l bob",
        "/usr/bin/passwd -S bob",
        "/usr/sbin/usermod -L bob",
        "/usr/bin/crontab -l",
        "/usr/bin/getent passwd",
        "/usr/sbin/visudo -c",
        "/usr/sbin/sshd -t",
        "/usr/sbin/lsof -i",
        "/usr/bin/openssl x509 -in /etc/ssl/certs/shop.pem -noout -dates",
        "/usr/sbin/ip addr",
        "/usr/bin/uptime \"\"",
        "/usr/bin/loginctl --no-pager list-sessions",
        "/usr/bin/lsblk \"\"",
        "/usr/bin/free -m",
        "/usr/bin/ps aux",
        "/usr/local/sbin/release-shop \"\"",
    ];
    let told: Vec<String> = commands
        .iter()
        .flat_map(|command| {
            of(command)
                .into_iter()
                .map(move |one| format!("{command}: {one}"))
        })
        .collect();
    assert_eq!(told, Vec::<String>::new());
}
