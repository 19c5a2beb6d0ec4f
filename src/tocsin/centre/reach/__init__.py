"""How far something got: answers of those who were offered it, the chase for them, who has it and who may see it."""
