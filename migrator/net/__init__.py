"""What is asked of the network itself: DNS, SMTP and the text of firewall rules."""
