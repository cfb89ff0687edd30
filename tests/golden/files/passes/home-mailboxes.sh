cd -- /srv/mail/ || exit 1
look() {
    if case $(head -c 65536 -- "./$2" 2>/dev/null | tr '\000\r' '\003\n' | sed '/./!d;q' | head -c 300) in "From "*[0-9]:[0-9][0-9]*) ;; *) false ;; esac; then echo "$1"; fi
}
look 0 user01
look 1 'it'"'"'s/user02'
echo end
