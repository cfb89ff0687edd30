cd -- '/srv/it'"'"'s mail/' || exit 1
want() { printf '%s\n' "$1"; }
{
want M1
want 'it'"'"'s'
echo
{ find . -type f \( -path '*/new/*' -o -path '*/cur/*' \) -printf '%P\0' && printf '\0'; } |
    tr '\n\000' '\001\n'
} | awk '
function key(path, name, cut) {
    if (!match(path, "(^|/)(new|cur)/[^/]+$")) return ""
    name = substr(path, RSTART)
    path = substr(path, 1, RSTART - 1)
    match(name, "[^/]+$")
    name = substr(name, RSTART)
    cut = index(name, ":2,")
    if (cut) name = substr(name, 1, cut - 1)
    while (match(path, "(^|/)[.][^/]*$")) path = substr(path, 1, RSTART - 1)
    return path "/" name
}
$0 == "" { part += 1; next }
part == 0 { number[$0] = count++; next }
{ found = key($0) }
found in number && !(found in told) { told[found]; print number[found] }
END { if (part == 2) print "end" }
'
