"""Compiled loops over plain arrays: no files, no options, no torch.

contingency: the sparse table of two labellings; assignment: its heaviest one-to-one pairing;
mutual_information: entropies and the chance level of mutual information; pair_counts: exact pair
counts; resampling: random subsets of counted samples; top_ranks: ranked clusters and label sets;
ancestry: class trees; draws: the seeded order of samples. `compiled` says how loops are compiled.
"""
