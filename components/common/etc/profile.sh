# The node's own programs, for people who log in.
PATH="$PATH:/opt/ic/bin"
