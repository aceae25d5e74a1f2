# What the scripts for clients of others do alike once a store holds keys. It is sourced, where `target` is the
# folder of the build.

# Runs rolecall, and shows what it says if it fails.
said() { # OUTPUT COMMAND...
    local output=$1
    shift
    "$@" > "$output" 2>&1 || {
        cat "$output"
        exit 1
    }
}

# Each key that a client has read into a folder logs in at the platform.
log_in() { # FOLDER ENDING
    local file
    for file in "$1"/*."$2"; do
        said "$1/verified" env MONDOO_CONFIG_PATH= "$target/debug/rolecall" credential verify "$file"
    done
}

# Puts what a client has read aside, before keys are rotated.
put_aside() { # FOLDER ENDING
    mkdir "$1/former"
    mv "$1"/*."$2" "$1/former"
}

# Each place has another key than before, and the former ones log in too.
rotated() { # FOLDER ENDING
    local file
    log_in "$1" "$2"
    log_in "$1/former" "$2"
    for file in "$1/former"/*."$2"; do
        if cmp -s "$file" "$1/${file##*/}" || [ ! -s "$1/${file##*/}" ]; then
            echo "FAILED ${file##*/} is not rotated"
            exit 1
        fi
    done
}
