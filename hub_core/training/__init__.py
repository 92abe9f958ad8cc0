"""Fine-tuning and evaluating models: what is asked for, what it takes, and the programs that do it in processes of their own."""
