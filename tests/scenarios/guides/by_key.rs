//! The guides to what people say with their SSH key: the front door, signed statements, one command.

use anyhow::Result;
use tpa_tests::host::Host;
use tpa_tests::on_both_debians;
use tpa_tests::scenario::play;

use super::{an_ordinary_user_is_not_alarmed, follow};

/// Gives alice and carol what they have on machines of their own: their key, and the host's name.
const OWN_MACHINES: &str = "\
printf 'Host web-01\\n HostName 127.0.0.1\\n HostKeyAlias 127.0.0.1\\n BatchMode yes\\n' >/root/own
for name in alice carol; do
    own=/home/$name/.ssh
    install -m 0600 -o $name /root/keys/$name $own/id_ed25519
    install -m 0644 -o $name /root/keys/$name.pub $own/id_ed25519.pub
    install -m 0644 -o $name /root/.ssh/known_hosts $own/known_hosts
    install -m 0600 -o $name /root/own $own/config
    cp /root/keys/$name.pub /root/$name.pub
done";

/// The account of a job of CI's, one of an agent, and what the job runs.
const SHOP: &str = "\
useradd --create-home --shell /bin/bash ci-shop && useradd --system agent
ssh-keygen -q -t ed25519 -N '' -f /root/keys/ci-shop
install -d -m 0700 -o ci-shop /home/ci-shop/.ssh
install -m 0600 -o ci-shop /root/keys/ci-shop.pub /home/ci-shop/.ssh/authorized_keys
install -d /opt/shop && printf '#!/bin/sh\\necho \"$(id -un) migrates $2\"\\n' >/opt/shop/migrate
chmod 0755 /opt/shop/migrate";

/// It is with the newest request as a text says.
fn newest_is(host: &Host, text: &str) -> Result<()> {
    let id = super::newest(host)?;
    host.root(&format!("tpactl log {id}")).says(text)?;
    Ok(())
}

on_both_debians! {
    with play;

    fn asking_and_deciding_by_key_goes_as_the_guides_say(host) {
        host.root(OWN_MACHINES).ok()?;
        follow(host, include_str!("../../../docs/front-door.md"))?;
        newest_is(host, "seen the graphs")?;
        host.root("tpactl doctor").keeps_quiet_about("front door")?;
        an_ordinary_user_is_not_alarmed(host)?;

        follow(host, include_str!("../../../docs/signing.md"))?;
        newest_is(host, "Restart nginx")?;

        host.root(SHOP).ok()?;
        follow(host, include_str!("../../../docs/one-command.md"))?;
        host.logged_with(&[" command-run ", "exit_code=0"])?;
        newest_is(host, "/opt/shop/migrate --drop old_orders")?;
    }
}
