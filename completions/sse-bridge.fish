# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sse_bridge_global_optspecs
    string join \n config= name= port= listen= tail= history= state-dir= sync= keep-size= keep-age= rotate-wait= poll= heartbeat= retry= max-clients= write-timeout= exit-on-eof= t/tee= max-line= from= flush-partial= fifo-mode= fifo-remove= pty= size= restart= kill-after= stdin= event-type= format= event-type-field= data-field= only-fields= multiline= multiline-start= multiline-wait= strip-ansi= redact= redact-with= match= drop= rate-limit= title= allow-host= allow-anonymous= cors-origin= log-format= v/verbose q/quiet check h/help V/version
end

function __fish_sse_bridge_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sse_bridge_global_optspecs) -- $cmd 2>/dev/null
    or return
    if contains -- "$argv[1]" run history cat healthcheck
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sse_bridge_using_subcommand
    set -l cmd (__fish_sse_bridge_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l config -d 'A configuration file, or a directory of *.toml files; may be repeated. What stands here says more than a file [default: none]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l name -d 'The name of the command of `run`: its channels are NAME/stdout and NAME/stderr, with --pty NAME [default: its file name]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l port -d 'The port of every --listen that names none; 0 picks a free one [default: 8080]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l listen -d 'An address to listen on: IP, IP:PORT, [IP6]:PORT or NAME:PORT; may be repeated [default: 127.0.0.1 and ::1]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l tail -d 'How many of the newest lines a client gets that asks for nothing: N or all [default: 10]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l history -d 'Memory for lines that clients can come back to, over all channels [default: 64MiB, or a quarter of the cgroup\'s limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l state-dir -d 'Where history and the places in files survive: a directory that is made if it is missing, one for each daemon [default: the first in $STATE_DIRECTORY; without it nothing survives]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l sync -d 'When history is made safe from a power cut: never (the kernel decides), interval (once a second), always (before anybody sees it) [default: interval]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l keep-size -d 'How much history is kept on disk, over all channels, from 1MiB on [default: 1GiB]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l keep-age -d 'How old history on disk becomes, from 1s on: 12h, 7d [default: no limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l rotate-wait -d 'How long a file that was rotated away is kept open after it grew last, up to 1h [default: 5s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l poll -d 'Look at files four times a second instead of asking the kernel for hints [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l heartbeat -d 'Silence after which a stream gives a sign of life, from 1s to 1h [default: 15s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l retry -d 'When browsers come back after a lost connection, from 500ms to 24h [default: 2s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l max-clients -d 'Streams that may be open at once; one more is told to come back later [default: 1000]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l write-timeout -d 'A client that takes nothing for so long is cut, from 1s on [default: 10m]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l exit-on-eof -d 'Stop when every source that can end has ended and clients have got everything, after TIME at most [default: go on serving; TIME: 10s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -s t -l tee -d 'Copy standard input to standard output, every byte, at once; a slow reader there slows the input [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l max-line -d 'A longer line becomes several events [default: 1MiB]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l from -d 'Where files begin that are there at the start: start, end, or -N for the last N lines in up to 256 KiB [default: -1000]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l flush-partial -d 'When the unfinished line of a source that falls idle becomes an event: TIME or off [default: 1s for named pipes, off for others]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l fifo-mode -d 'The rights of a pipe that fifo:PATH makes [default: 0620]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l fifo-remove -d 'Delete the pipes of fifo:PATH at the end [default: they stay, and their writers wait]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l pty -d 'Give commands a terminal: they neither hold their output back nor drop colours and progress bars, and write to one channel [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l size -d 'The size of that terminal: COLSxROWS [default: 120x30]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l restart -d 'When a command that has ended is started again, after growing pauses of 100ms to 30s: never, on-failure, always [default: never]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l kill-after -d 'How long a command and what it has started may take to end after a signal before they are killed, up to 1h [default: 10s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l stdin -d 'Pass the daemon\'s standard input on to the command [default: it reads /dev/null]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l event-type -d 'The type of every event, for addEventListener(TYPE) [default: none, for onmessage]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l format -d 'What a line is: text, json (an object), cri (as in /var/log/pods), null (text that ends in NUL), sse (the input is an event stream) [default: text]' -r -f -a "text\t'An event as it stands'
json\t'A JSON object'
cri\t'As container runtimes write them'
null\t'Text that ends in NUL'
sse\t'The input is an event stream'"
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l event-type-field -d 'The field that holds the type of the event: NAME, or OBJECT.NAME [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l data-field -d 'The field that becomes the event, if the line has it [default: the whole line; log for cri]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l only-fields -d 'The fields that become the event, as a JSON object of nothing else: A,B,C [default: all]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l multiline -d 'indent: lines that begin with a space or a tab go on with the one before, so that a stack trace is one event [default: off]' -r -f -a "indent\t'What is indented'"
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l multiline-start -d 'Lines that do not match go on with the one before: \'^\\d{4}-\' [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l multiline-wait -d 'Silence after which lines that could go on are an event [default: 500ms]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l strip-ansi -d 'Take out colours, links and all else that only a terminal understands [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l redact -d 'Replace what matches, up to the length of --max-line, before anything is stored or sent; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l redact-with -d 'What stands in its place [default: [redacted]]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l match -d 'Only events that match; may be repeated, and one match is enough [default: all]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l drop -d 'No events that match; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l rate-limit -d 'At most so many events of each file or stream: 100 (a second), 6000/m, 10/h; a gap says how many were left out [default: no limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l title -d 'The title of the page [default: the source and the host, with its port if that is not 8080]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l allow-host -d 'A name by which clients or a proxy may ask: NAME, .NAME with all below it, or *; may be repeated [default: this machine\'s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l allow-anonymous -d 'Let everybody read who reaches an address that is not loopback [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l cors-origin -d 'Pages of this origin (https://example.com, or *) may read the streams; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l log-format -d 'The form of messages on standard error [default: text]' -r -f -a "text\t'Lines for people'
json\t'A JSON object a line'"
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -s v -l verbose -d 'Say more; twice says everything [default: what an administrator wants to know]'
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -s q -l quiet -d 'Say only what is wrong; twice only what ends the daemon. The addresses are said in any case [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -l check -d 'Check the command line and the configuration, touch nothing, and exit [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sse-bridge -n "__fish_sse_bridge_needs_command" -s V -l version -d 'Print version'
complete -c sse-bridge -n "test (count (commandline -opc)) -eq 1" -a "run" -d 'Run a command once for all viewers, and serve what it writes'
complete -c sse-bridge -n "test (count (commandline -opc)) -eq 1" -a "history" -d 'Say what a state directory holds, and whether it is as it was written'
complete -c sse-bridge -n "test (count (commandline -opc)) -eq 1" -a "cat" -d 'Follow streams in a terminal, a script or a pipe, through restarts and lost networks'
complete -c sse-bridge -n "test (count (commandline -opc)) -eq 1" -a "healthcheck" -d 'Ask the daemon of this machine whether it serves, for containers'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l config -d 'A configuration file, or a directory of *.toml files; may be repeated. What stands here says more than a file [default: none]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l name -d 'The name of the command of `run`: its channels are NAME/stdout and NAME/stderr, with --pty NAME [default: its file name]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l port -d 'The port of every --listen that names none; 0 picks a free one [default: 8080]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l listen -d 'An address to listen on: IP, IP:PORT, [IP6]:PORT or NAME:PORT; may be repeated [default: 127.0.0.1 and ::1]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l tail -d 'How many of the newest lines a client gets that asks for nothing: N or all [default: 10]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l history -d 'Memory for lines that clients can come back to, over all channels [default: 64MiB, or a quarter of the cgroup\'s limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l state-dir -d 'Where history and the places in files survive: a directory that is made if it is missing, one for each daemon [default: the first in $STATE_DIRECTORY; without it nothing survives]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l sync -d 'When history is made safe from a power cut: never (the kernel decides), interval (once a second), always (before anybody sees it) [default: interval]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l keep-size -d 'How much history is kept on disk, over all channels, from 1MiB on [default: 1GiB]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l keep-age -d 'How old history on disk becomes, from 1s on: 12h, 7d [default: no limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l rotate-wait -d 'How long a file that was rotated away is kept open after it grew last, up to 1h [default: 5s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l poll -d 'Look at files four times a second instead of asking the kernel for hints [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l heartbeat -d 'Silence after which a stream gives a sign of life, from 1s to 1h [default: 15s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l retry -d 'When browsers come back after a lost connection, from 500ms to 24h [default: 2s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l max-clients -d 'Streams that may be open at once; one more is told to come back later [default: 1000]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l write-timeout -d 'A client that takes nothing for so long is cut, from 1s on [default: 10m]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l exit-on-eof -d 'Stop when every source that can end has ended and clients have got everything, after TIME at most [default: go on serving; TIME: 10s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -s t -l tee -d 'Copy standard input to standard output, every byte, at once; a slow reader there slows the input [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l max-line -d 'A longer line becomes several events [default: 1MiB]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l from -d 'Where files begin that are there at the start: start, end, or -N for the last N lines in up to 256 KiB [default: -1000]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l flush-partial -d 'When the unfinished line of a source that falls idle becomes an event: TIME or off [default: 1s for named pipes, off for others]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l fifo-mode -d 'The rights of a pipe that fifo:PATH makes [default: 0620]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l fifo-remove -d 'Delete the pipes of fifo:PATH at the end [default: they stay, and their writers wait]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l pty -d 'Give commands a terminal: they neither hold their output back nor drop colours and progress bars, and write to one channel [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l size -d 'The size of that terminal: COLSxROWS [default: 120x30]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l restart -d 'When a command that has ended is started again, after growing pauses of 100ms to 30s: never, on-failure, always [default: never]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l kill-after -d 'How long a command and what it has started may take to end after a signal before they are killed, up to 1h [default: 10s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l stdin -d 'Pass the daemon\'s standard input on to the command [default: it reads /dev/null]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l event-type -d 'The type of every event, for addEventListener(TYPE) [default: none, for onmessage]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l format -d 'What a line is: text, json (an object), cri (as in /var/log/pods), null (text that ends in NUL), sse (the input is an event stream) [default: text]' -r -f -a "text\t'An event as it stands'
json\t'A JSON object'
cri\t'As container runtimes write them'
null\t'Text that ends in NUL'
sse\t'The input is an event stream'"
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l event-type-field -d 'The field that holds the type of the event: NAME, or OBJECT.NAME [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l data-field -d 'The field that becomes the event, if the line has it [default: the whole line; log for cri]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l only-fields -d 'The fields that become the event, as a JSON object of nothing else: A,B,C [default: all]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l multiline -d 'indent: lines that begin with a space or a tab go on with the one before, so that a stack trace is one event [default: off]' -r -f -a "indent\t'What is indented'"
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l multiline-start -d 'Lines that do not match go on with the one before: \'^\\d{4}-\' [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l multiline-wait -d 'Silence after which lines that could go on are an event [default: 500ms]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l strip-ansi -d 'Take out colours, links and all else that only a terminal understands [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l redact -d 'Replace what matches, up to the length of --max-line, before anything is stored or sent; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l redact-with -d 'What stands in its place [default: [redacted]]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l match -d 'Only events that match; may be repeated, and one match is enough [default: all]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l drop -d 'No events that match; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l rate-limit -d 'At most so many events of each file or stream: 100 (a second), 6000/m, 10/h; a gap says how many were left out [default: no limit]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l title -d 'The title of the page [default: the source and the host, with its port if that is not 8080]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l allow-host -d 'A name by which clients or a proxy may ask: NAME, .NAME with all below it, or *; may be repeated [default: this machine\'s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l allow-anonymous -d 'Let everybody read who reaches an address that is not loopback [default: off]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l cors-origin -d 'Pages of this origin (https://example.com, or *) may read the streams; may be repeated [default: none]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l log-format -d 'The form of messages on standard error [default: text]' -r -f -a "text\t'Lines for people'
json\t'A JSON object a line'"
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -s v -l verbose -d 'Say more; twice says everything [default: what an administrator wants to know]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -s q -l quiet -d 'Say only what is wrong; twice only what ends the daemon. The addresses are said in any case [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -l check -d 'Check the command line and the configuration, touch nothing, and exit [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand history" -l verify -d 'Read every record and compare its checksum [default: the ends of each file]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand history" -l json -d 'Write an object of JSON a line, for programs [default: a table]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand history" -s h -l help -d 'Print help'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l tail -d 'Begin with the newest N lines, or all [default: what the daemon gives, usually 10]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l since -d 'Begin with what came since then: 10m (ago), an RFC 3339 time or Unix milliseconds [default: as --tail]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l channel -d 'This channel and those below it, beside those of the URL\'s path; may be repeated [default: all of the URL]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l grep -d 'Only lines that match; all of several must [default: every line]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l grep-v -d 'No lines that match; none of several may [default: every line]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l color -d 'Whether channels of --label are in colour: auto (on a terminal, unless NO_COLOR is set), always, never [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'Everywhere'
never\t'Nowhere'"
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l exec -d 'Run COMMAND with sh -c and write to its standard input; its end is the end [default: standard output]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l state -d 'Remember in FILE, once half a second, what has been written, and go on behind it the next time [default: off]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l max-wait -d 'Give up, with exit code 75, when there was no stream for so long [default: try for ever]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l token-file -d 'Show the server the token in the first line of FILE (Authorization: Bearer), read anew for each connection [default: none]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l max-line -d 'A longer event is left out, and told as a gap [default: 64MiB]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -s i -l ignore-case -d '--grep and --grep-v take capitals and small letters as the same [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l no-follow -d 'End with what there is, and do not wait for more [default: follow]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l ndjson -d 'Write an object of JSON a line, gaps and ends included [default: the lines]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l label -d 'Write the channel before each line [default: off]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -l strict -d 'Stop before the first gap, with exit code 4 [default: say it and go on]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -s q -l quiet -d 'Say only what is wrong; twice only what ends it [default: gaps, ends and lost connections]'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand cat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand healthcheck" -l config -d 'A configuration file of the daemon, or a directory of *.toml files; may be repeated [default: $SSE_BRIDGE_CONFIG]' -r -F
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand healthcheck" -l timeout -d 'How long the answer may take, all in all [default: 3s]' -r -f
complete -c sse-bridge -n "__fish_sse_bridge_using_subcommand healthcheck" -s h -l help -d 'Print help'
