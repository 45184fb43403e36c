# Shows at the right of fish's prompt how long access lasts, as in "tpa:1h59m", and nothing without
# access. As ~/.config/fish/conf.d/tpa.fish, or in ~/.config/fish/config.fish:
#   source /usr/share/doc/tpa/examples/prompt/tpa-prompt.fish
function fish_right_prompt --description 'How long access lasts'
    /usr/bin/tpactl prompt
end
