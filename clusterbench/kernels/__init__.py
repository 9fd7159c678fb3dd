"""Compiled loops over plain arrays: no files, no options, no torch.

contingency: the sparse table of two labellings; assignment: its heaviest one-to-one pairing;
mutual_information: entropies and the chance level of mutual information; pairs: exact pair counts;
resampling: random subsets of counted samples; ranking: ranked clusters; ancestry: class trees.
"""
