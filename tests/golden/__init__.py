"""Our code against numbers recorded from the published implementation."""
