# bash completion for icl. Commands, options and choices are read from icl's own help, so that they
# are those of the installed program.

_icl_commands() { icl help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\)  *[a-z].*/\1/p'; }

_icl_options() { icl help "$1" 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p'; }

_icl_tasks() { icl tasks 2>/dev/null | sed -n 's/^\([^ ]\{1,\}\) .*/\1/p'; }

_icl_stages() { icl methods 2>/dev/null | sed -n 's/^\([a-z]*\) - .*/\1/p'; }

# The word that help shows after an option of a command: FILE, N, f32|f16, ...
_icl_value() { icl help "$1" 2>/dev/null | sed -n "s/^  $2 \([A-Za-z0-9|-]*\).*/\1/p"; }

_icl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} value=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_icl_commands) --help --version" -- "$word")
        return
    fi
    case $before in --*) value=$(_icl_value "$command" "$before") ;; esac
    case $value in
    FILE) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    DIR) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    *'|'*) mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$word") ;;
    ?*) ;;
    *)
        case $command,$word in
        *,-*)
            mapfile -t COMPREPLY < <(compgen -W "$(_icl_options "$command") --help" -- "$word")
            ;;
        run,* | plan,* | search,* | compare,* | annotate,* | select,* | fit,*)
            mapfile -t COMPREPLY < <(
                compgen -W "$(_icl_tasks)" -- "$word"
                compgen -f -X '!*.y*ml' -- "$word"
            )
            ;;
        train,*)
            mapfile -t COMPREPLY < <(compgen -f -X '!*.y*ml' -- "$word")
            ;;
        methods,*)
            mapfile -t COMPREPLY < <(compgen -W "$(_icl_stages)" -- "$word")
            ;;
        help,*) mapfile -t COMPREPLY < <(compgen -W "$(_icl_commands)" -- "$word") ;;
        esac
        ;;
    esac
}

complete -o filenames -F _icl icl
