rm -rf /var/lib/migrate/example-mail
rmdir /var/lib/migrate 2>/dev/null || :
