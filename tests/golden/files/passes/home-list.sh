umask 077
mkdir -p /var/lib/migrate/home || exit 1
carry() { printf '%s\0' "$1" || exit 1; }
{
carry user01
carry 'it'"'"'s/user02'
} >/var/lib/migrate/home/list
