# Plays OpenWrt's rc.common for an init script ($1): runs one of its functions ($2) and writes down
# what it asks of the system. ENABLED, KINDS, PEERS and RUNNING say what the configuration and procd would.

config_load() { :; }
config_get_bool() { eval "$1=\$ENABLED"; }
config_foreach() { for section in $KINDS; do "$1" "$section"; done; }
config_get() {
	case $3 in
		kind) eval "$1=\$2" ;;
		ftm_peers) eval "$1=\$PEERS" ;;
		folder) eval "$1=\${FOLDER:-\$4}" ;;
	esac
}
service_running() { [ "$RUNNING" = 1 ]; }

recorded="procd_open_instance procd_close_instance procd_set_param procd_add_jail procd_add_jail_mount
	procd_add_jail_mount_rw procd_send_signal procd_add_reload_trigger mkdir chown chmod"
for function in $recorded; do
	eval "$function() { echo $function \"\$@\"; }"
done
stop() { echo stop; }
start() { echo start; }

script=$1
. "$script"
"$2"
