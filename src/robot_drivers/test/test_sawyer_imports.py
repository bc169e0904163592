"""What runs beside the robot needs no simulator."""

import subprocess
import sys


def test_driver_imports_no_simulator_and_no_ros():
    code = (
        'import sys; sys.path[:0] = ' + repr(sys.path) + '; import robot_drivers.sawyer.robot; '
        "heavy = {'mujoco', 'torch', 'rclpy'} & set(sys.modules); "
        'sys.exit(str(heavy) if heavy else 0)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
