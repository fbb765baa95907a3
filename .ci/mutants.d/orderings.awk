# Finds the strong orderings of Rust sources (Acquire, Release, AcqRel) and their comments:
#
#   // ORDERING(Acquire): reason.  pairs: partner.  loom: m03_contents_are_seen; Relaxed fails it.
#
# The comment covers the first Acquire or AcqRel behind it; ORDERING(Release) covers the first Release or AcqRel. An
# AcqRel therefore has both, and each stands for its own half. `loom:` names the tests that fail when the ordering, or
# the half, is left out, or says `none (reason)`.
#
# A site is such a comment with its ordering, named by file, function and ordering: depot.pop.acquire, and
# depot.pop.acquire.2 if the function has a second. Prints a line "name <tab> tests" for each; prints every fault to the
# standard error and fails then.
#
# wrap=1: also writes FILE.wrapped, where each ordering of a site is weak if crate::mutant!("name"). An ordering without
# a comment is no fault then, because it stands in a patch.

function fault(where, text) {
    print where ": " text > "/dev/stderr"
    faults++
}

# The tests that a comment names.
function tests_of(text, where) {
    if (sub(/.* loom: /, "", text)) {
        if (text ~ /^none \(.*\)/) return "none"
        if (match(text, /^([a-z0-9_]+, )*[a-z0-9_]+[;.( ]/)) {
            text = substr(text, 1, RLENGTH - 1)
            gsub(/,/, "", text)
            return text
        }
    }
    fault(where, "the comment names no test: loom: NAME, NAME; …")
}

# Makes a site of the comment that waits for `half`; returns the condition under which it is weak.
function site(half, name) {
    name = file
    sub(/^src\//, "", name)
    sub(/(\/mod)?\.rs$/, "", name)
    name = name "." fn_name "." tolower(half)
    if (++count[name] > 1) name = name "." count[name]
    print name "\t" tests_of(comment[half], line_of[half])
    delete comment[half]
    return "if crate::mutant!(\"" name "\")"
}

# Source text in the place of the ordering `word`.
function wrapped(word) {
    if (word == "SeqCst") {
        fault(file ":" FNR, "SeqCst")
        return word
    }
    if ((word != "Release" && !("Acquire" in comment)) || (word != "Acquire" && !("Release" in comment))) {
        if (!wrap) fault(file ":" FNR, word " without a comment ORDERING(…), or without one of the two of AcqRel")
        return word
    }
    if (word != "AcqRel") return site(word) " { crate::sync::Relaxed } else { crate::sync::" word " }"
    return site("Acquire") " { crate::sync::Release } else " site("Release") " { crate::sync::Acquire } else " \
        "{ crate::sync::AcqRel }"
}

# The function ends, or the file: what still waits waits in vain.
function end_function(half) {
    for (half in comment) {
        fault(line_of[half], "no " half " behind the comment")
        delete comment[half]
    }
}

function put(text) {
    if (wrap) print text > (FILENAME ".wrapped")
}

FNR == 1 {
    end_function()
    file = FILENAME
    sub(/^.*src\//, "src/", file)
    in_site = in_use = 0
    fn_name = ""
}

/^[ \t]*\/\// {
    put($0)
    text = $0
    sub(/^[ \t]*\/\/+ */, " ", text)
    if (match(text, /ORDERING\([A-Za-z]*/)) {
        half = substr(text, RSTART + 9, RLENGTH - 9)
        if (half != "Acquire" && half != "Release") fault(file ":" FNR, "ORDERING(" half ")")
        if (half in comment) fault(line_of[half], "no " half " between this comment and the next")
        comment[half] = ""
        line_of[half] = file ":" FNR
        in_site = 1
    }
    if (in_site) comment[half] = comment[half] text
    next
}

{
    in_site = 0
    code = $0
    sub(/\/\/.*/, "", code)
    remark = substr($0, length(code) + 1)
    if (code ~ /^ *(pub(\([a-z]+\))? )?use /) in_use = 1
    if (match(code, /(^|[ (])fn [a-z0-9_]+/)) {
        end_function()
        fn_name = substr(code, RSTART, RLENGTH)
        sub(/.*fn /, "", fn_name)
    }
    line = ""
    while (!in_use && match(code, /[A-Za-z0-9_]+/)) {
        word = substr(code, RSTART, RLENGTH)
        line = line substr(code, 1, RSTART - 1)
        code = substr(code, RSTART + RLENGTH)
        # A type may be called Release.
        if (word ~ /^(Acquire|Release|AcqRel|SeqCst)$/ && code !~ /^( *\{|<|::)/) word = wrapped(word)
        line = line word
    }
    put(line code remark)
    if (code ~ /;/) in_use = 0
}

END {
    end_function()
    exit faults > 0
}
