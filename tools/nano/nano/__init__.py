"""How the nano checkpoint is made: tasks, tokenizer, training, export and scoring."""
