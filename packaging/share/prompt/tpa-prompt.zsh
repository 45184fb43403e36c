# Shows in zsh's prompt how long access lasts, as in "tpa:1h59m web-01%", and nothing without
# access. At the end of ~/.zshrc:
#   . /usr/share/doc/tpa/examples/prompt/tpa-prompt.zsh
tpa_prompt() {
    local left
    left=$(/usr/bin/tpactl prompt) && [[ -n $left ]] && print -n -- "$left "
}
setopt PROMPT_SUBST
[[ $PROMPT == *tpa_prompt* ]] || PROMPT='$(tpa_prompt)'$PROMPT
