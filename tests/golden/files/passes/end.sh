[ ! -e /var/lib/migrate/example-mail/copying ] || mv -f /var/lib/migrate/example-mail/copying /var/lib/migrate/example-mail/copied
