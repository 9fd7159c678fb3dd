"""The board: its entries, the file that holds them, the lock under which it is changed."""
