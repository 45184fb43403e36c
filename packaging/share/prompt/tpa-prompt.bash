# Shows in bash's prompt how long access lasts, as in "tpa:1h59m alice@web-01:~$", and nothing
# without access. At the end of ~/.bashrc:
#   . /usr/share/doc/tpa/examples/prompt/tpa-prompt.bash
tpa_prompt() {
    local left
    left=$(/usr/bin/tpactl prompt) && [ -n "$left" ] && printf '%s ' "$left"
}
case $PS1 in
    *tpa_prompt*) ;;
    *) PS1='$(tpa_prompt)'$PS1 ;;
esac
