"""The ways into the replay: transitions from the network and out of bags, each of them once."""
