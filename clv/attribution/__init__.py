"""What a service behaviour is worth, with the evidence it rests on."""
