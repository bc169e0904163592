import pytest

from sac_learner.transport import PROFILES, SMALL, TRANSPORTS, use_small_datagrams


def test_weights_are_sent_in_small_datagrams():
    environment = {'HOME': '/root'}
    use_small_datagrams(environment)
    assert environment == {'HOME': '/root', TRANSPORTS: SMALL}


@pytest.mark.parametrize('name', [TRANSPORTS, *PROFILES])
def test_what_a_person_chose_stays(name):
    environment = {name: 'LARGE_DATA'}
    use_small_datagrams(environment)
    assert environment == {name: 'LARGE_DATA'}
