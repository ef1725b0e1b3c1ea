"""What is true: the protocol, the CRDT copy and the conversations, without I/O."""
