# Ends the shared test servers when no test process has used them for some seconds.
# Arguments: the directory of the locks, a command that fails when a server is gone, a command that ends both.
home=$1 alive=$2 end=$3
exec 8>>"$home/start.lock" 9>>"$home/users.lock"
quiet_seconds=0
while eval "$alive"; do
    sleep 1
    if ! flock --nonblock 9; then
        quiet_seconds=0
        continue
    fi
    flock --unlock 9
    quiet_seconds=$((quiet_seconds + 1))
    [ "$quiet_seconds" -ge 7 ] || continue
    # Nobody can join while this is held, so whoever is not there by now gets new servers.
    flock --nonblock 8 || continue
    flock --nonblock 9 && break
    flock --unlock 8
    quiet_seconds=0
done
eval "$end"
rm -rf "$home/servers" "$home/servers.txt"
