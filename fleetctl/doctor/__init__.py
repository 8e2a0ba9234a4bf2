"""What would stop a push, found before it: questions to hosts, facts they tell, findings. Pure."""
