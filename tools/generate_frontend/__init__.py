"""What screen and kernel share, written into js/src: each number, colour and word has one source, in circuit_widget."""
