# What a person sees who presses Tab in zsh: zsh -f menu.zsh FILE WORDS
#
# An interactive shell on a terminal of its own, with the completions in FILE, is typed the words, and then Tab again and again until the first offer
# comes back. Each offer is a line of the output. Behind each Tab a key asks for what stands there; it does not end the menu.
emulate -R zsh
zmodload zsh/zpty
place=$(mktemp -d)
trap 'zpty -d shell 2>/dev/null; rm -rf $place' EXIT
cp $1 $place/_sse-bridge
mkfifo $place/answers
exec {answers}<>$place/answers

cat >$place/.zshrc <<RC
fpath=($place \$fpath)
autoload -U compinit && compinit -u -D
setopt no_list_beep no_beep
PS1=
bindkey -e
bindkey '^I' menu-complete
bindkey '^T' redisplay
shown() {
    case \$LASTWIDGET in
    menu-complete) print -r -- "offer \$BUFFER" >$place/answers ;;
    redisplay) print end >$place/answers ;;
    esac
}
zle -N zle-line-pre-redraw shown
print ready >$place/answers
RC
export ZDOTDIR=$place TERM=xterm
zpty shell zsh -d -i
heard() { # waits for an answer of this kind; what the shell writes on its terminal is only taken away
    local seen
    while :; do
        if IFS= read -t 0.02 -u $answers -r REPLY; then
            [[ $REPLY != $1* ]] || return 0
        elif (( SECONDS > 20 )); then
            print -u2 "no answer: $1"
            exit 1
        fi
        zpty -r -t shell seen
    done
}
heard ready

first=
zpty -w -n shell $2
while :; do
    zpty -w -n shell $'\t'
    heard offer
    offer=${REPLY#offer }
    zpty -w -n shell $'\x14'
    heard end
    [[ $offer != $first ]] || break
    : ${first:=$offer}
    print -r -- $offer
    [[ $offer != *' ' ]] || break # the only one: zsh has finished the word
done
