"""What a program is: levels, `dgqc::` ops with their integer reference, plans, verifier.

This room knows no other. Passes, frontends and backends all speak its vocabulary.
"""
